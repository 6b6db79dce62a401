package main

import (
	"bufio"
	"encoding/json"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// nic is a network card as a hypervisor would plug it in.
type nic struct {
	MAC       string `json:"mac"`
	Network   string `json:"network"`
	Connected bool   `json:"connected"` // from power-on
}

// event is one line on stdout; it also describes a machine in GET /state.
type event struct {
	Event    string   `json:"event"` // power, removed; empty in GET /state
	UUID     string   `json:"uuid"`  // instance UUID
	Name     string   `json:"name,omitempty"`
	State    string   `json:"state,omitempty"` // poweredOn, poweredOff, suspended, reset
	Host     string   `json:"host,omitempty"`
	Disks    []string `json:"disks,omitempty"`   // descriptors, absolute paths
	Parents  []string `json:"parents,omitempty"` // of the first disk, nearest first; the last disk twice if it is layered
	NICs     []nic    `json:"nics,omitempty"`
	CPUs     int32    `json:"cpus,omitempty"`
	MemoryMB int32    `json:"memory_mb,omitempty"`
}

// events writes to stdout from a goroutine of its own: a reader that is slow must not hold up a task of the vCenter.
type events struct {
	queue chan event
	done  chan struct{}
}

func newEvents(w io.Writer) *events {
	e := &events{queue: make(chan event, 65536), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		out := bufio.NewWriter(w)
		encoder := json.NewEncoder(out)
		for item := range e.queue {
			_ = encoder.Encode(item)
			_ = out.Flush()
		}
	}()
	return e
}

func (e *events) send(item event) { e.queue <- item }

// flush writes what is queued; nothing may be sent afterwards.
func (e *events) flush() {
	close(e.queue)
	<-e.done
}

// machines is what we know of each machine without the simulator's locks: hooks run while some are held.
type machines struct {
	mutex sync.Mutex
	all   map[string]*known // by managed object id
}

type known struct {
	facts     event
	record    []byte // for the journal
	committed bool   // the task that made it has succeeded
}

func newMachines() *machines { return &machines{all: map[string]*known{}} }

func (m *machines) disks(id string) []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if k := m.all[id]; k != nil {
		return k.facts.Disks
	}
	return nil
}

// uses names the powered-on machine that uses this disk, or one in this folder; `asParent`: also for disks of its own.
func (m *machines) uses(file string, asParent bool) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, k := range m.all {
		if k.facts.State != string(types.VirtualMachinePowerStatePoweredOn) {
			continue
		}
		disks := k.facts.Disks
		if asParent {
			disks = append(slices.Clone(disks), k.facts.Parents...)
		}
		for _, disk := range disks {
			if disk == file || strings.HasPrefix(disk, file+string(filepath.Separator)) ||
				file == flatName(disk) || file == deltaName(disk) {
				return k.facts.Name
			}
		}
	}
	return ""
}

func (m *machines) list() []event {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	list := []event{}
	for _, k := range m.all {
		if k.committed {
			list = append(list, k.facts)
		}
	}
	return list
}

// describe reads a machine; the caller holds its lock (all hooks do).
func (c *center) describe(vm *mo.VirtualMachine) event {
	e := event{
		UUID:     vm.Config.InstanceUuid,
		Name:     vm.Name,
		State:    string(vm.Runtime.PowerState),
		CPUs:     vm.Config.Hardware.NumCPU,
		MemoryMB: vm.Config.Hardware.MemoryMB,
	}
	if vm.Runtime.Host != nil {
		if h, ok := c.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem); ok {
			e.Host = h.Name
		}
	}
	for _, device := range vm.Config.Hardware.Device {
		switch d := device.(type) {
		case *types.VirtualDisk: // its parents are read from the files: a client may have left them out
			if backing, ok := d.Backing.(types.BaseVirtualDeviceFileBackingInfo); ok {
				if _, file, fault := c.resolve(backing.GetVirtualDeviceFileBackingInfo().FileName); fault == nil {
					e.Disks = append(e.Disks, file)
				}
			}
		case types.BaseVirtualEthernetCard:
			card := d.GetVirtualEthernetCard()
			if backing, ok := card.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
				connected := card.Connectable == nil || card.Connectable.StartConnected
				e.NICs = append(e.NICs, nic{strings.ToLower(card.MacAddress), backing.DeviceName, connected})
			}
		}
	}
	if len(e.Disks) > 0 {
		e.Parents = c.layers(e.Disks[0])
	}
	return e
}

// hook sees every change of the inventory before the client that made it sees its success. So what a client was told
// is in the journal, and what it wasn't told may or may not be: as with a real vCenter that loses its power.
type hook struct {
	center *center
}

func (h *hook) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "VclabHook", Value: "vclab-hook"}
}

func (h *hook) PutObject(_ *simulator.Context, object mo.Reference) {
	switch found := object.(type) {
	case *simulator.VirtualMachine:
		// pyvmomi refuses these enumerations when they are empty, as the simulator leaves them.
		found.Runtime.FaultToleranceState = types.VirtualMachineFaultToleranceStateNotConfigured
		found.Runtime.RecordReplayState = types.VirtualMachineRecordReplayStateInactive
		found.Summary.Runtime.FaultToleranceState = found.Runtime.FaultToleranceState
		found.Summary.Runtime.RecordReplayState = found.Runtime.RecordReplayState
		h.center.note(&found.VirtualMachine) // also when moved to another folder
	case *simulator.Folder:
		h.center.saveInventory(types.ManagedObjectReference{})
	case *simulator.Task:
		// The simulator names its managers as entities of tasks; pyvmomi can't read a task then.
		if _, ok := h.center.registry.Get(*found.Info.Entity).(mo.Entity); !ok {
			found.Info.Entity = &h.center.dc.DatastoreFolder
		}
	}
}

func (h *hook) UpdateObject(ctx *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	switch found := object.(type) {
	case *mo.VirtualMachine:
		if h.center.registry.Get(found.Self) != nil { // the simulator goes on to change one that it has removed
			h.machineChanged(ctx, found, changes)
		}
	case *mo.Task:
		h.taskChanged(found)
	case *mo.HostSystem, *mo.Folder:
		h.center.saveInventory(types.ManagedObjectReference{})
	}
}

func (h *hook) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	switch ref.Type {
	case "VirtualMachine":
		h.center.forget(ref)
	case "Folder":
		h.center.saveInventory(ref)
	}
}

func (h *hook) machineChanged(ctx *simulator.Context, vm *mo.VirtualMachine, changes []types.PropertyChange) {
	power := false
	for _, change := range changes {
		power = power || change.Name == "runtime.powerState"
	}
	if power {
		ctx.Update(vm, noGuest(vm)) // comes back here, without a change of power
		facts := h.center.describe(vm)
		facts.Event = "power"
		h.center.note(vm)
		h.center.events.send(facts)
		return
	}
	h.center.note(vm)
}

// taskChanged: a machine counts from when the task that made it has succeeded; anything that ended may have taken or
// given back space.
func (h *hook) taskChanged(task *mo.Task) {
	switch task.Info.State {
	case types.TaskInfoStateSuccess:
		ref, ok := task.Info.Result.(types.ManagedObjectReference)
		if ok && ref.Type == "VirtualMachine" {
			h.center.commit(ref)
		}
	case types.TaskInfoStateError:
		if fault := task.Info.Error; fault != nil && strings.HasPrefix(fault.LocalizedMessage, "*types.") {
			fault.LocalizedMessage = words(fault.Fault)
		}
	default:
		return
	}
	if task.Info.Entity.Type != "Datacenter" { // our own jobs do it themselves
		h.center.refreshStores()
	}
}

// noGuest is what is known of a guest that has just been started or stopped: nothing.
func noGuest(vm *mo.VirtualMachine) []types.PropertyChange {
	cards := make([]types.GuestNicInfo, len(vm.Guest.Net))
	copy(cards, vm.Guest.Net)
	for i := range cards {
		cards[i].IpAddress, cards[i].IpConfig = nil, nil
	}
	return guestChanges(vm, cards, "", string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning))
}

// guestChanges are the properties in which VMware Tools report; the address is that of the first card that has one.
func guestChanges(vm *mo.VirtualMachine, cards []types.GuestNicInfo, name, tools string) []types.PropertyChange {
	address := ""
	for _, card := range cards {
		for _, ip := range card.IpAddress {
			if address == "" && !strings.Contains(ip, ":") {
				address = ip
			}
		}
	}
	status := types.VirtualMachineToolsStatusToolsOk
	if tools != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		status = types.VirtualMachineToolsStatusToolsNotRunning
	}
	return []types.PropertyChange{
		{Name: "guest.net", Val: cards},
		{Name: "guest.ipAddress", Val: address},
		{Name: "guest.hostName", Val: name},
		{Name: "guest.toolsRunningStatus", Val: tools},
		{Name: "guest.toolsStatus", Val: status},
		{Name: "summary.guest.ipAddress", Val: address},
		{Name: "summary.guest.hostName", Val: name},
		{Name: "summary.guest.toolsRunningStatus", Val: tools},
		{Name: "summary.guest.toolsStatus", Val: status},
	}
}

// reset tells the hypervisor to pull the reset line. The caller holds the machine's lock.
func (c *center) reset(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	ctx.Update(vm, noGuest(&vm.VirtualMachine))
	facts := c.describe(&vm.VirtualMachine)
	facts.Event, facts.State = "power", "reset"
	c.events.send(facts)
}

// note keeps what is known of a machine, and writes it down if the machine counts.
func (c *center) note(vm *mo.VirtualMachine) {
	if vm.Config == nil || vm.Runtime.Host == nil { // being made
		return
	}
	facts, record := c.describe(vm), c.encode(vm)
	c.machines.mutex.Lock()
	defer c.machines.mutex.Unlock()
	k := c.machines.all[vm.Self.Value]
	if k == nil {
		k = &known{}
		c.machines.all[vm.Self.Value] = k
	}
	k.facts, k.record = facts, record
	if k.committed {
		c.journal.saveMachine(vm.Self.Value, k.record)
	}
}

func (c *center) commit(ref types.ManagedObjectReference) {
	c.machines.mutex.Lock()
	defer c.machines.mutex.Unlock()
	if k := c.machines.all[ref.Value]; k != nil {
		k.committed = true
		c.journal.saveMachine(ref.Value, k.record)
	}
}

func (c *center) forget(ref types.ManagedObjectReference) {
	c.machines.mutex.Lock()
	defer c.machines.mutex.Unlock()
	k := c.machines.all[ref.Value]
	delete(c.machines.all, ref.Value)
	if k != nil && k.committed {
		c.journal.removeMachine(ref.Value)
		c.events.send(event{Event: "removed", UUID: k.facts.UUID, Name: k.facts.Name})
	}
}
