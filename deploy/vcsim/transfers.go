package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// Disks come and go over HTTP under a lease, as streamOptimized VMDKs: ImportVApp makes a machine and takes its disks,
// ExportVm gives those of a machine that is off. Whoever knows a lease's URL may use it, until the lease ends. The
// simulator's own takes uploads and throws them away, and has no exports.

const leaseTime = 5 * time.Minute // without a word from the client

// transfer is a disk that is given or taken.
type transfer struct {
	file  string // descriptor
	taken bool   // by an import
	done  bool
}

type lease struct {
	mo.HttpNfcLease
	center *center
	mutex  sync.Mutex
	disks  map[string]*transfer // by target id
	heard  time.Time
	undo   func() // of an import that was given up
}

type leases struct {
	mutex sync.Mutex
	count int
	all   map[string]*lease
}

func newLeases() *leases { return &leases{all: map[string]*lease{}} }

func (l *leases) find(id string) *lease {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	found := l.all[id]
	if found == nil || time.Since(found.heard) > leaseTime {
		return nil
	}
	return found
}

// expire ends the leases whose clients have gone, with what they were for.
func (l *leases) expire() {
	l.mutex.Lock()
	gone := []*lease{}
	for _, each := range l.all {
		each.mutex.Lock()
		if time.Since(each.heard) > leaseTime {
			gone = append(gone, each)
		}
		each.mutex.Unlock()
	}
	l.mutex.Unlock()
	for _, each := range gone {
		each.end()
		if each.undo != nil {
			each.undo()
		}
	}
}

func (c *center) newLease() *lease {
	c.leases.mutex.Lock()
	defer c.leases.mutex.Unlock()
	c.leases.count++
	id := fmt.Sprintf("lease-%d-%d", time.Now().UnixNano(), c.leases.count)
	l := &lease{center: c, disks: map[string]*transfer{}, heard: time.Now()}
	l.Self = types.ManagedObjectReference{Type: "HttpNfcLease", Value: id}
	l.State = types.HttpNfcLeaseStateInitializing
	c.leases.all[id] = l
	c.registry.Put(l)
	return l
}

// ready gives the disks of a machine to whoever has the lease.
func (l *lease) ready(vm *simulator.VirtualMachine, taken bool) {
	info := &types.HttpNfcLeaseInfo{Lease: l.Self, Entity: vm.Self, LeaseTimeout: int32(leaseTime.Seconds())}
	for n, file := range l.center.machines.disks(vm.Self.Value) {
		target := fmt.Sprintf("disk-%d.vmdk", n)
		l.disks[target] = &transfer{file: file, taken: taken}
		info.TotalDiskCapacityInKB += size(file) / 1024
		info.DeviceUrl = append(info.DeviceUrl, types.HttpNfcLeaseDeviceUrl{
			Key:       fmt.Sprintf("/%s/VirtualDisk:%d", vm.Self.Value, n),
			ImportKey: fmt.Sprintf("/%s/VirtualDisk:%d", vm.Name, n),
			// As an ESXi host says it: "*" stands for the host that the client has called.
			Url:  fmt.Sprintf("https://*:%s/nfc/%s/%s", l.center.port, l.Self.Value, target),
			Disk: types.NewBool(true), TargetId: target,
		})
	}
	l.update(types.PropertyChange{Name: "info", Val: info},
		types.PropertyChange{Name: "state", Val: types.HttpNfcLeaseStateReady})
}

func (l *lease) fail(fault types.BaseMethodFault) {
	why := localized(fault)
	l.update(types.PropertyChange{Name: "error", Val: &why},
		types.PropertyChange{Name: "state", Val: types.HttpNfcLeaseStateError})
}

func (l *lease) update(changes ...types.PropertyChange) {
	l.center.registry.AtomicUpdate(l.center.newContext(), l, changes)
}

func size(file string) int64 {
	found, _ := capacity(file)
	return found
}

func (l *lease) end() {
	l.center.leases.mutex.Lock()
	delete(l.center.leases.all, l.Self.Value)
	l.center.leases.mutex.Unlock()
	ctx := l.center.newContext()
	l.center.registry.Remove(ctx, l.Self)
}

func (l *lease) HttpNfcLeaseProgress(_ *simulator.Context, req *types.HttpNfcLeaseProgress) soap.HasFault {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.heard, l.TransferProgress = time.Now(), req.Percent
	return &methods.HttpNfcLeaseProgressBody{Res: &types.HttpNfcLeaseProgressResponse{}}
}

func (l *lease) HttpNfcLeaseComplete(*simulator.Context, *types.HttpNfcLeaseComplete) soap.HasFault {
	l.mutex.Lock()
	for _, disk := range l.disks {
		if disk.taken && !disk.done {
			l.mutex.Unlock()
			return &methods.HttpNfcLeaseCompleteBody{Fault_: simulator.Fault("a disk was not sent", &types.InvalidState{})}
		}
	}
	l.mutex.Unlock()
	go l.end()
	return &methods.HttpNfcLeaseCompleteBody{Res: &types.HttpNfcLeaseCompleteResponse{}}
}

func (l *lease) HttpNfcLeaseAbort(*simulator.Context, *types.HttpNfcLeaseAbort) soap.HasFault {
	go func() {
		l.end()
		if l.undo != nil {
			l.undo()
		}
	}()
	return &methods.HttpNfcLeaseAbortBody{Res: &types.HttpNfcLeaseAbortResponse{}}
}

func (m *machineObject) ExportVm(*simulator.Context, *types.ExportVm) soap.HasFault {
	if m.on() {
		return &methods.ExportVmBody{Fault_: simulator.Fault("", &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: m.Runtime.PowerState,
		})}
	}
	l := m.center.newLease()
	go l.ready(m.VirtualMachine, false)
	return &methods.ExportVmBody{Res: &types.ExportVmResponse{Returnval: l.Self}}
}

type poolObject struct {
	*simulator.ResourcePool
	center *center
}

func (p *poolObject) ImportVApp(ctx *simulator.Context, req *types.ImportVApp) soap.HasFault {
	spec, ok := req.Spec.(*types.VirtualMachineImportSpec)
	if !ok || req.Folder == nil {
		return &methods.ImportVAppBody{Fault_: simulator.Fault("a machine and its folder are needed", &types.InvalidArgument{})}
	}
	own := p.center.newContext() // what it does is in the name of who called
	own.Session = ctx.Session
	l := p.center.newLease()
	go func() { // it needs the pool's lock, which the call holds
		vm, fault := p.center.makeForImport(own, p.Self, req, spec.ConfigSpec)
		if fault != nil {
			l.fail(fault)
			return
		}
		l.undo = func() {
			(&machineObject{vm, p.center}).DestroyTask(own, &types.Destroy_Task{This: vm.Self})
		}
		l.ready(vm, true)
	}()
	return &methods.ImportVAppBody{Res: &types.ImportVAppResponse{Returnval: l.Self}}
}

func (c *center) makeForImport(ctx *simulator.Context, pool types.ManagedObjectReference, req *types.ImportVApp, spec types.VirtualMachineConfigSpec) (*simulator.VirtualMachine, types.BaseMethodFault) {
	folder := c.registry.Get(*req.Folder).(*simulator.Folder)
	for _, change := range spec.DeviceChange { // it takes what its data takes
		if disk, ok := change.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk); ok {
			if _, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); !ok {
				return nil, &types.InvalidDeviceSpec{}
			}
		}
	}
	if fault := c.checkNew(folder, &spec); fault != nil {
		return nil, fault
	}
	made := folder.CreateVMTask(ctx, &types.CreateVM_Task{This: folder.Self, Config: spec, Pool: pool, Host: req.Host})
	task := c.registry.Get(made.(*methods.CreateVM_TaskBody).Res.Returnval).(*simulator.Task)
	task.Wait()
	if task.Info.Error != nil {
		return nil, task.Info.Error.Fault
	}
	return c.registry.Get(task.Info.Result.(types.ManagedObjectReference)).(*simulator.VirtualMachine), nil
}

// serveTransfers answers below /nfc/.
func (c *center) serveTransfers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/nfc/"), "/")
		if !strings.HasPrefix(r.URL.Path, "/nfc/") || len(parts) != 2 {
			next.ServeHTTP(w, r)
			return
		}
		l := c.leases.find(parts[0])
		if l == nil || l.disks[parts[1]] == nil {
			http.NotFound(w, r)
			return
		}
		l.mutex.Lock()
		l.heard = time.Now()
		l.mutex.Unlock()
		if err := l.serve(l.disks[parts[1]], w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

func (l *lease) serve(disk *transfer, w http.ResponseWriter, r *http.Request) error {
	switch {
	case disk.taken && (r.Method == http.MethodPost || r.Method == http.MethodPut):
		return l.take(disk, r.Body)
	case !disk.taken && r.Method == http.MethodGet:
		return l.give(disk, w, r)
	}
	return fmt.Errorf("%s is not for this lease", r.Method)
}

// take makes a thin disk of what is sent. What can't be read as a disk is refused, and what has no room.
func (l *lease) take(disk *transfer, body io.Reader) error {
	s, _, fault := l.center.resolve(l.center.datastorePath(disk.file))
	if fault != nil {
		return errors.New(words(fault))
	}
	sent, raw := disk.file+".sent", disk.file+".raw"
	defer os.Remove(sent)
	defer os.Remove(raw)
	f, err := os.Create(sent)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(body, s.free()+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if n > s.free() || l.center.faults.noSpace(s.name) {
		return errors.New(words(&types.NoDiskSpace{Datastore: s.name}))
	}
	time.Sleep(l.center.faults.delay("ImportVApp"))
	if err := qemuImg("convert", "-f", "vmdk", "-O", "raw", sent, raw); err != nil {
		return err
	}
	if info, err := os.Stat(raw); err != nil || info.Size() > size(disk.file) {
		return errors.New("the disk that was sent is larger than that of the machine")
	}
	if err := os.Truncate(raw, size(disk.file)); err != nil {
		return err
	}
	extent := vmdk.Extent{Info: filepath.Base(flatName(disk.file)), Size: size(disk.file) / vmdk.SectorSize}
	descriptor := vmdk.NewDescriptor(extent)
	descriptor.DDB["thinProvisioned"] = "1"
	var text bytes.Buffer
	if err := errors.Join(descriptor.Write(&text), os.Rename(raw, flatName(disk.file))); err != nil {
		return err
	}
	if err := writeAtomically(disk.file, text.Bytes()); err != nil {
		return err
	}
	l.mutex.Lock()
	disk.done = true
	l.mutex.Unlock()
	return nil
}

// give sends a disk as one that has no parents. An empty child is what its parent is.
func (l *lease) give(disk *transfer, w http.ResponseWriter, r *http.Request) error {
	file := disk.file
	for _, parent := range l.center.parents(disk.file) {
		if diskSize(file) > 0 {
			return errors.New("the lab's children are layers of a file system, which nothing here can merge")
		}
		file = parent
	}
	folder, err := os.MkdirTemp("", "export")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	sent := filepath.Join(folder, "sent.vmdk")
	if err := qemuImg("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", flatName(file), sent); err != nil {
		return err
	}
	http.ServeFile(w, r, sent)
	return nil
}

func qemuImg(words ...string) error {
	said, err := exec.Command("qemu-img", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu-img: %s", strings.TrimSpace(string(said)))
	}
	return nil
}
