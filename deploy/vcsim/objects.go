package main

import (
	"crypto/subtle"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// intercept puts our objects in front of the simulator's for calls from outside. What the simulator calls within
// itself goes to its own objects, so that its assumptions about their types hold.
func (c *center) intercept(ctx *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	switch {
	case ctx.Session != nil:
		c.sessions.Store(ctx.Session.Key, true)
	case readsInventory(method):
		return nil, &types.NotAuthenticated{
			NoPermission: types.NoPermission{Object: &method.This, PrivilegeId: "System.View"},
		}
	}
	if !overridden[method.Name] {
		return nil, nil
	}
	object := c.inFront(method.This)
	if object != nil {
		// The session would look the object up again, and find the simulator's instead of ours.
		method.This.Value += " of vclab"
	}
	return object, nil
}

func (c *center) inFront(ref types.ManagedObjectReference) mo.Reference {
	switch found := c.registry.Get(ref).(type) {
	case *simulator.VirtualDiskManager:
		return &diskManager{found, c}
	case *simulator.FileManager:
		return &fileManager{found, c}
	case *simulator.VirtualMachine:
		return &machineObject{found, c}
	case *simulator.Folder:
		return &folderObject{found, c}
	case *simulator.HostSystem:
		return &hostObject{found, c}
	case *simulator.Datastore:
		return &datastoreObject{found, c}
	case *simulator.HostDatastoreBrowser:
		return &browserObject{found, c}
	case *simulator.Task:
		return &taskObject{found, c}
	case *simulator.AuthorizationManager:
		return &authorizationObject{found, c}
	case *simulator.ResourcePool:
		return &poolObject{found, c}
	case *simulator.StorageResourceManager:
		return &storageManagerObject{found, c}
	default:
		return nil
	}
}

// overridden are the methods that our objects answer.
var overridden = map[string]bool{
	"CopyVirtualDisk_Task": true, "CreateVirtualDisk_Task": true, "DeleteVirtualDisk_Task": true,
	"MoveVirtualDisk_Task": true, "CopyDatastoreFile_Task": true, "DeleteDatastoreFile_Task": true,
	"MoveDatastoreFile_Task": true, "RefreshDatastore": true, "CreateVM_Task": true, "ReconfigVM_Task": true,
	"PowerOnVM_Task": true, "ResetVM_Task": true, "RebootGuest": true, "ShutdownGuest": true, "Destroy_Task": true,
	"EnterMaintenanceMode_Task": true, "ExitMaintenanceMode_Task": true, "DisconnectHost_Task": true,
	"ReconnectHost_Task": true, "CancelTask": true, "SearchDatastore_Task": true,
	"SearchDatastoreSubFolders_Task": true, "ExportVm": true, "ImportVApp": true, "UnregisterVM": true,
	"HasPrivilegeOnEntities": true, "RelocateVM_Task": true, "ConfigureStorageDrsForPod_Task": true,
}

// readsInventory: the simulator lets anybody read properties; a real vCenter answers NotAuthenticated, which is how a
// client notices that the server was restarted. What a client reads before it logs in stays open.
func readsInventory(method *simulator.Method) bool {
	switch method.Name {
	case "RetrieveProperties", "RetrievePropertiesEx":
		return true
	case "Fetch": // its type is not exported; the simulator has put the collector in place of the object
		this := reflect.ValueOf(method.Body).Elem().FieldByName("This").Interface().(types.ManagedObjectReference)
		return this.Type != "ServiceInstance" && this.Type != "SessionManager"
	default:
		return false
	}
}

// guardFiles asks for a session or the password before datastore files are given out; the simulator does not.
func (c *center) guardFiles(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/folder") || c.knows(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		http.Error(w, "log in first", http.StatusUnauthorized)
	})
}

func (c *center) knows(r *http.Request) bool {
	if cookie, err := r.Cookie("vmware_soap_session"); err == nil {
		if _, ok := c.sessions.Load(strings.Trim(cookie.Value, `"`)); ok {
			return true
		}
	}
	name, given, _ := r.BasicAuth()
	password, _ := c.service.Listen.User.Password()
	return subtle.ConstantTimeCompare([]byte(name+"\x00"+given), []byte(c.service.Listen.User.Username()+"\x00"+password)) == 1
}

type datastoreObject struct {
	*simulator.Datastore
	center *center
}

// RefreshDatastore measures; the simulator's would set the capacity back to its own.
func (d *datastoreObject) RefreshDatastore(*simulator.Context, *types.RefreshDatastore) soap.HasFault {
	go d.center.refreshStores() // takes this object's lock, which the call holds
	return &methods.RefreshDatastoreBody{Res: &types.RefreshDatastoreResponse{}}
}

type folderObject struct {
	*simulator.Folder
	center *center
}

func (f *folderObject) CreateVMTask(ctx *simulator.Context, req *types.CreateVM_Task) soap.HasFault {
	fault := f.center.checkNew(f.Folder, &req.Config)
	if fault == nil {
		fault = f.center.checkDevices(&req.Config)
	}
	if fault != nil {
		ref := f.center.refuse(ctx, f.Self, "createVm", fault)
		return &methods.CreateVM_TaskBody{Res: &types.CreateVM_TaskResponse{Returnval: ref}}
	}
	return f.Folder.CreateVMTask(ctx, req)
}

// checkNew refuses what would crash the simulator (a datastore that isn't there), or what it takes and vCenter doesn't.
func (c *center) checkNew(folder *simulator.Folder, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	if spec.Files != nil {
		s, file, fault := c.resolve(spec.Files.VmPathName)
		if fault != nil {
			return fault
		}
		// A machine's folder goes with it: it must not be the datastore itself.
		if filepath.Ext(file) == ".vmx" && filepath.Dir(file) == s.folder {
			return &types.InvalidDatastorePath{DatastorePath: spec.Files.VmPathName}
		}
	}
	if found := c.registry.FindByName(spec.Name, folder.ChildEntity); found != nil {
		return &types.DuplicateName{Name: spec.Name, Object: found.Reference()}
	}
	if spec.Files != nil { // before a child disk is made that nobody would have
		if _, file, fault := c.resolve(spec.Files.VmPathName); fault == nil && filepath.Ext(file) == ".vmx" {
			if _, err := os.Stat(file); err == nil {
				return fileFault(spec.Files.VmPathName, os.ErrExist)
			}
		}
	}
	return nil
}

// checkDevices finds out before anything is made whether disks and networks are there and new disks have room; the
// simulator would leave half a machine behind, or crash.
func (c *center) checkDevices(spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	for _, change := range spec.DeviceChange {
		item := change.GetVirtualDeviceConfigSpec()
		if item.Operation == types.VirtualDeviceConfigSpecOperationRemove {
			continue
		}
		var fault types.BaseMethodFault
		switch device := item.Device.(type) {
		case types.BaseVirtualEthernetCard:
			fault = c.checkNetwork(device.GetVirtualEthernetCard())
		case *types.VirtualDisk:
			fault = c.checkDisk(device, item)
			if fault == nil {
				fault = c.chained(device, item)
			}
		}
		if fault != nil {
			return fault
		}
	}
	return nil
}

func (c *center) checkNetwork(card *types.VirtualEthernetCard) types.BaseMethodFault {
	backing, ok := card.Backing.(*types.VirtualEthernetCardNetworkBackingInfo)
	if ok && c.registry.FindByName(backing.DeviceName, c.dc.Network) == nil {
		return &types.InvalidDeviceBacking{InvalidDeviceSpec: types.InvalidDeviceSpec{
			InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.backing.deviceName"},
		}}
	}
	return nil
}

func (c *center) checkDisk(disk *types.VirtualDisk, item *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return nil
	}
	name := backing.GetVirtualDeviceFileBackingInfo().FileName
	if name == "" { // a new disk, for which the simulator makes up a name in the machine's folder
		return nil
	}
	s, file, fault := c.resolve(name)
	if fault != nil {
		return fault
	}
	if item.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate {
		if flat, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && flat.Parent != nil {
			return nil // a child takes no room yet
		}
		size := max(disk.CapacityInBytes, disk.CapacityInKB*1024)
		return c.grow(s, size, func() types.BaseMethodFault { return nil })
	}
	if _, err := os.Stat(file); err != nil {
		return fileFault(name, err)
	}
	return nil
}

type authorizationObject struct {
	*simulator.AuthorizationManager
	center *center
}

// HasPrivilegeOnEntities grants all but what was denied over the control socket; the simulator grants all.
func (a *authorizationObject) HasPrivilegeOnEntities(req *types.HasPrivilegeOnEntities) soap.HasFault {
	body := a.AuthorizationManager.HasPrivilegeOnEntities(req).(*methods.HasPrivilegeOnEntitiesBody)
	for _, entity := range body.Res.Returnval {
		for i := range entity.PrivAvailability {
			one := &entity.PrivAvailability[i]
			one.IsGranted = one.IsGranted && !a.center.faults.denies(one.PrivId)
		}
	}
	return body
}

type hostObject struct {
	*simulator.HostSystem
	center *center
}

// The simulator changes a host's state without telling anyone who waits for it; we also keep it in the journal.
func (h *hostObject) set(ctx *simulator.Context, method, property string, value types.AnyType) types.ManagedObjectReference {
	task := simulator.CreateTask(h.HostSystem, method, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		ctx.Update(h.HostSystem, []types.PropertyChange{
			{Name: "runtime." + property, Val: value},
			{Name: "summary.runtime." + property, Val: value},
		})
		return nil, nil
	})
	return task.Run(ctx)
}

func (h *hostObject) EnterMaintenanceModeTask(ctx *simulator.Context, _ *types.EnterMaintenanceMode_Task) soap.HasFault {
	ref := h.set(ctx, "enterMaintenanceMode", "inMaintenanceMode", true)
	return &methods.EnterMaintenanceMode_TaskBody{Res: &types.EnterMaintenanceMode_TaskResponse{Returnval: ref}}
}

func (h *hostObject) ExitMaintenanceModeTask(ctx *simulator.Context, _ *types.ExitMaintenanceMode_Task) soap.HasFault {
	ref := h.set(ctx, "exitMaintenanceMode", "inMaintenanceMode", false)
	return &methods.ExitMaintenanceMode_TaskBody{Res: &types.ExitMaintenanceMode_TaskResponse{Returnval: ref}}
}

func (h *hostObject) DisconnectHostTask(ctx *simulator.Context, _ *types.DisconnectHost_Task) soap.HasFault {
	ref := h.set(ctx, "disconnectHost", "connectionState", types.HostSystemConnectionStateDisconnected)
	return &methods.DisconnectHost_TaskBody{Res: &types.DisconnectHost_TaskResponse{Returnval: ref}}
}

func (h *hostObject) ReconnectHostTask(ctx *simulator.Context, _ *types.ReconnectHost_Task) soap.HasFault {
	ref := h.set(ctx, "reconnectHost", "connectionState", types.HostSystemConnectionStateConnected)
	return &methods.ReconnectHost_TaskBody{Res: &types.ReconnectHost_TaskResponse{Returnval: ref}}
}

type machineObject struct {
	*simulator.VirtualMachine
	center *center
}

func (m *machineObject) on() bool {
	return m.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
}

func (m *machineObject) tools() bool {
	return m.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
}

func (m *machineObject) notOn() types.BaseMethodFault {
	return &types.InvalidPowerState{
		RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: m.Runtime.PowerState,
	}
}

func (m *machineObject) PowerOnVMTask(ctx *simulator.Context, req *types.PowerOnVM_Task) soap.HasFault {
	h := m.center.registry.Get(*m.Runtime.Host).(*simulator.HostSystem)
	if !m.on() {
		fault := m.busy()
		if fault == nil {
			fault = m.center.powerOnFault(h, m.Self.Value)
		}
		if fault != nil {
			ref := m.center.refuse(ctx, m.Self, "powerOn", fault)
			return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: ref}}
		}
	}
	return m.VirtualMachine.PowerOnVMTask(ctx, req)
}

// ResetVMTask leaves the machine powered on, as a reset does; the simulator turns it off and on.
func (m *machineObject) ResetVMTask(ctx *simulator.Context, _ *types.ResetVM_Task) soap.HasFault {
	task := simulator.CreateTask(m.VirtualMachine, "reset", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if !m.on() {
			return nil, m.notOn()
		}
		m.center.reset(ctx, m.VirtualMachine)
		return nil, nil
	})
	return &methods.ResetVM_TaskBody{Res: &types.ResetVM_TaskResponse{Returnval: task.Run(ctx)}}
}

func (m *machineObject) RebootGuest(ctx *simulator.Context, _ *types.RebootGuest) soap.HasFault {
	body := new(methods.RebootGuestBody)
	switch {
	case !m.on():
		body.Fault_ = simulator.Fault("", m.notOn())
	case !m.tools():
		body.Fault_ = simulator.Fault("", &types.ToolsUnavailable{})
	default:
		m.center.reset(ctx, m.VirtualMachine)
		body.Res = new(types.RebootGuestResponse)
	}
	return body
}

// ShutdownGuest needs guest tools that run; the simulator turns the machine off without them too.
func (m *machineObject) ShutdownGuest(ctx *simulator.Context, req *types.ShutdownGuest) soap.HasFault {
	if m.on() && !m.tools() {
		return &methods.ShutdownGuestBody{Fault_: simulator.Fault("", &types.ToolsUnavailable{})}
	}
	return m.VirtualMachine.ShutdownGuest(ctx, req)
}

func (m *machineObject) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	fault := m.busy()
	if fault == nil {
		fault = m.center.checkDevices(&req.Spec)
	}
	if fault != nil {
		ref := m.center.refuse(ctx, m.Self, "reconfigVm", fault)
		return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: ref}}
	}
	return m.VirtualMachine.ReconfigVMTask(ctx, req)
}

// DestroyTask removes the machine's folder before the task ends; the simulator alone does that some time later.
func (m *machineObject) DestroyTask(ctx *simulator.Context, req *types.Destroy_Task) soap.HasFault {
	if fault := m.busy(); fault != nil {
		ref := m.center.refuse(ctx, m.Self, "destroy", fault)
		return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: ref}}
	}
	_, folder, pathFault := m.center.resolve(m.Config.Files.LogDirectory)
	task := simulator.CreateTask(m.VirtualMachine, "destroy", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		ref := m.VirtualMachine.DestroyTask(ctx, req).(*methods.Destroy_TaskBody).Res.Returnval
		inner := m.center.registry.Get(ref).(*simulator.Task)
		inner.Wait()
		if inner.Info.Error != nil {
			return nil, inner.Info.Error.Fault
		}
		if pathFault == nil {
			_ = os.RemoveAll(folder)
		}
		return nil, nil
	})
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: task.Run(ctx)}}
}

func (m *machineObject) UnregisterVM(ctx *simulator.Context, req *types.UnregisterVM) soap.HasFault {
	if fault := m.busy(); fault != nil {
		return &methods.UnregisterVMBody{Fault_: simulator.Fault(words(fault), fault)}
	}
	return m.VirtualMachine.UnregisterVM(ctx, req)
}
