package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// faults are the troubles that were ordered over the control socket.
type faults struct {
	mutex    sync.Mutex
	full     map[string]bool          // datastores that refuse to grow
	refusals map[string]int           // how many more power-ons a host refuses
	delays   map[string]time.Duration // of tasks, by name, e.g. "CopyVirtualDisk", "PowerOn"
	denied   map[string]bool          // privileges that nobody has
	broken   int                      // how many more disks that are given break off in the middle
}

func newFaults() *faults {
	f := &faults{}
	f.clear()
	return f
}

func (f *faults) clear() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.full, f.refusals, f.delays = map[string]bool{}, map[string]int{}, map[string]time.Duration{}
	f.denied, f.broken = map[string]bool{}, 0
	f.publishDelays()
}

// order is the body of POST /fault.
type order struct {
	Kind      string `json:"kind"` // no_space, power_on, copy_delay, task_delay, deny, broken_transfer
	Datastore string `json:"datastore"`
	Host      string `json:"host"`
	Count     int    `json:"count"` // of power-ons or transfers that fail; 0: all
	Task      string `json:"task"`  // as in its info.name, without "_Task"; with deny: the privilege
	Ms        int    `json:"ms"`
}

const always = 1 << 30

func (c *center) order(o order) error {
	f := c.faults
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if o.Count <= 0 {
		o.Count = always
	}
	switch o.Kind {
	case "no_space":
		if _, ok := c.stores[o.Datastore]; !ok {
			return fmt.Errorf("no datastore %q", o.Datastore)
		}
		f.full[o.Datastore] = true
	case "power_on":
		if c.host(o.Host) == nil {
			return fmt.Errorf("no host %q", o.Host)
		}
		f.refusals[o.Host] = o.Count
	case "copy_delay":
		f.delays["CopyVirtualDisk"] = time.Duration(o.Ms) * time.Millisecond
	case "task_delay":
		f.delays[o.Task] = time.Duration(o.Ms) * time.Millisecond
		f.publishDelays()
	case "deny":
		f.denied[o.Task] = true
	case "broken_transfer":
		f.broken = o.Count
	default:
		return fmt.Errorf("unknown kind %q: no_space, power_on, copy_delay, task_delay, deny or broken_transfer", o.Kind)
	}
	return nil
}

// publishDelays tells the simulator's own tasks. They read the map without a lock, so it is replaced, never changed.
func (f *faults) publishDelays() {
	all := map[string]int{"LockHandoff": 0} // see newCenter
	for name, delay := range f.delays {
		all[name], all[name+"_Task"] = int(delay.Milliseconds()), int(delay.Milliseconds())
	}
	simulator.TaskDelay.MethodDelay = all
}

func (f *faults) noSpace(datastore string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.full[datastore]
}

func (f *faults) denies(privilege string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.denied[privilege]
}

// breaks counts one disk that is given and says whether it breaks off.
func (f *faults) breaks() bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.broken == 0 {
		return false
	}
	f.broken--
	return true
}

func (f *faults) delay(task string) time.Duration {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.delays[task]
}

// refusesPowerOn counts one attempt to power on and says whether it fails.
func (f *faults) refusesPowerOn(host string) bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.refusals[host] == 0 {
		return false
	}
	f.refusals[host]--
	return true
}

func (c *center) host(name string) *simulator.HostSystem {
	for _, entity := range c.registry.All("HostSystem") {
		if h := entity.(*simulator.HostSystem); h.Name == name {
			return h
		}
	}
	return nil
}

// powerOnFault is why a host won't start a machine now, or nil.
func (c *center) powerOnFault(h *simulator.HostSystem, machine string) types.BaseMethodFault {
	switch {
	case h.Runtime.ConnectionState != types.HostSystemConnectionStateConnected:
		return &types.HostNotConnected{}
	case h.Runtime.InMaintenanceMode:
		return &types.InvalidState{}
	case c.faults.refusesPowerOn(h.Name):
		return &types.InsufficientResourcesFault{}
	}
	for _, disk := range c.machines.disks(machine) {
		file := types.FileFault{File: c.datastorePath(disk)}
		if c.machines.uses(disk, true) != "" || c.readers.has(disk) {
			return &types.FileLocked{FileFault: file}
		}
		if fault := c.parentsFault(disk); fault != nil {
			return fault
		}
		if _, err := os.Stat(disk); err != nil {
			return &types.FileNotFound{FileFault: file}
		}
		if _, err := capacity(disk); err != nil { // half copied
			return &types.InvalidDiskFormat{InvalidFormat: types.InvalidFormat{VmConfigFault: types.VmConfigFault{}}}
		}
	}
	return nil
}

// parentsFault is why a disk can't be used because of a parent, or nil.
func (c *center) parentsFault(disk string) types.BaseMethodFault {
	for _, parent := range c.parents(disk) {
		file := types.FileFault{File: c.datastorePath(parent)}
		if _, err := os.Stat(parent); err != nil {
			return &types.FileNotFound{FileFault: file}
		}
		if c.machines.uses(parent, false) != "" { // somebody writes to it
			return &types.FileLocked{FileFault: file}
		}
	}
	return nil
}
