package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// A storage migration carries a machine's files to a folder of its name on another datastore, also while it runs. As
// with a real vCenter a child becomes a disk without parent there, unless the client asks for the child alone.
//
// What a child holds is a layer of a file system, which can't be merged with its parent's while a machine writes to it. So
// such a disk has both: the parent's data as "x-flat.vmdk", and what was written over it as "x-delta.vmdk".

func isLayered(file string) bool {
	_, err := os.Stat(deltaName(file))
	return err == nil && parentName(file) == ""
}

// layers are what a hypervisor lays a disk over, nearest first: its parents, and the last disk once more if that holds
// what was its parent's itself.
func (c *center) layers(file string) []string {
	chain := append([]string{file}, c.parents(file)...)
	if last := chain[len(chain)-1]; isLayered(last) {
		chain = append(chain, last)
	}
	return chain[1:]
}

// RelocateVMTask moves the files too; the simulator's only says that they were.
func (m *machineObject) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	if fault := m.busy(); fault != nil {
		ref := m.center.refuse(ctx, m.Self, "relocateVm", fault)
		return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: ref}}
	}
	to := m.center.storeOf(req.Spec.Datastore)
	if to == nil || slices.Equal(m.Datastore, []types.ManagedObjectReference{to.ref}) {
		return m.VirtualMachine.RelocateVMTask(ctx, req)
	}
	childOnly := req.Spec.DiskMoveType == string(types.VirtualMachineRelocateDiskMoveOptionsMoveChildMostDiskBacking)
	task := simulator.CreateTask(m.VirtualMachine, "relocateVm", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		move, fault := m.center.carry(&m.VirtualMachine.VirtualMachine, to, childOnly)
		if fault != nil {
			return nil, fault
		}
		// In the journal before the old files go: whenever we are killed, the machine has its files.
		ctx.Update(m.VirtualMachine, move.changes)
		for _, file := range move.left {
			_ = os.RemoveAll(file)
		}
		m.VirtualMachine.RefreshStorageInfo(ctx, &types.RefreshStorageInfo{This: m.Self})
		rest := *req
		rest.Spec.Datastore = nil
		ref := m.VirtualMachine.RelocateVMTask(ctx, &rest).(*methods.RelocateVM_TaskBody).Res.Returnval
		inner := m.center.registry.Get(ref).(*simulator.Task)
		inner.Wait()
		if inner.Info.Error != nil {
			return nil, inner.Info.Error.Fault
		}
		return nil, nil
	})
	return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: task.Run(ctx)}}
}

func (c *center) storeOf(ref *types.ManagedObjectReference) *store {
	for _, s := range c.stores {
		if ref != nil && s.ref == *ref {
			return s
		}
	}
	return nil
}

// migration is what a storage migration changes of a machine, and the files that are not its own any more.
type migration struct {
	changes []types.PropertyChange
	left    []string
}

// carry makes a machine's files on another datastore. If it fails, none is left there.
func (c *center) carry(vm *mo.VirtualMachine, to *store, childOnly bool) (*migration, types.BaseMethodFault) {
	_, old, fault := c.resolve(vm.Config.Files.LogDirectory)
	if fault != nil {
		return nil, fault
	}
	home, name := filepath.Join(to.folder, vm.Name), "["+to.name+"] "+vm.Name
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, fileFault(name, err)
	}
	move := &migration{left: []string{old}}
	devices, fault := c.carryDisks(vm, to, home, childOnly, move)
	if fault == nil {
		fault = c.carryRest(old, home)
	}
	if fault != nil {
		_ = os.RemoveAll(home)
		return nil, fault
	}
	vmx := name + "/" + filepath.Base(vm.Config.Files.VmPathName)
	move.changes = []types.PropertyChange{
		{Name: "config.files", Val: types.VirtualMachineFileInfo{
			VmPathName: vmx, SnapshotDirectory: name, SuspendDirectory: name, LogDirectory: name,
		}},
		{Name: "summary.config.vmPathName", Val: vmx},
		{Name: "datastore", Val: []types.ManagedObjectReference{to.ref}},
		{Name: "config.hardware.device", Val: devices},
	}
	return move, nil
}

// carryDisks carries a machine's disks, and returns its devices as they are then.
func (c *center) carryDisks(vm *mo.VirtualMachine, to *store, home string, childOnly bool, move *migration) ([]types.BaseVirtualDevice, types.BaseMethodFault) {
	devices := slices.Clone(vm.Config.Hardware.Device)
	for i, device := range devices {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !ok {
			return nil, &types.NotSupported{}
		}
		_, from, fault := c.resolve(backing.FileName)
		if fault != nil {
			return nil, fault
		}
		target := filepath.Join(home, filepath.Base(from))
		if fault := c.carryDisk(from, target, to, childOnly); fault != nil {
			return nil, fault
		}
		carried, itsBacking := *disk, *backing
		itsBacking.FileName, itsBacking.Datastore = c.datastorePath(target), &to.ref
		itsBacking.Parent = c.backing(target)
		carried.Backing, devices[i] = &itsBacking, &carried
		move.left = append(move.left, from, flatName(from), deltaName(from))
	}
	return devices, nil
}

func (c *center) carryDisk(from, target string, to *store, childOnly bool) types.BaseMethodFault {
	parents := c.parents(from)
	if len(parents) == 0 || childOnly {
		return c.carryFiles(to, target, from, flatName(from), deltaName(from))
	}
	if len(parents) > 1 || isLayered(parents[0]) { // layers over layers
		return &types.NotSupported{}
	}
	text, err := os.ReadFile(parents[0])
	if err != nil {
		return fileFault(c.datastorePath(parents[0]), err)
	}
	size := diskSize(parents[0])
	fault := c.grow(to, size, func() types.BaseMethodFault { return reserve(flatName(target), size, c.datastorePath(target)) })
	if fault == nil {
		fault = copyData(&job{}, flatName(parents[0]), flatName(target))
	}
	if fault != nil {
		return fault
	}
	if err := writeAtomically(target, asCopy(text, parents[0], target)); err != nil {
		return fileFault(c.datastorePath(target), err)
	}
	return c.carryFiles(to, target, deltaName(from)) // last: the descriptor says that it is thin
}

// asCopy is the descriptor of a disk's copy, made from the disk's own.
func asCopy(text []byte, source, target string) []byte {
	extent, newExtent := filepath.Base(flatName(source)), filepath.Base(flatName(target))
	text = bytes.ReplaceAll(text, []byte(`"`+extent+`"`), []byte(`"`+newExtent+`"`))
	return bytes.ReplaceAll(text, []byte("ddb.deletable = \"false\"\n"), nil) // the copy has no children
}

// carryRest carries the files of a machine that are no disks.
func (c *center) carryRest(old, home string) types.BaseMethodFault {
	entries, err := os.ReadDir(old)
	if err != nil {
		return fileFault(c.datastorePath(old), err)
	}
	for _, entry := range entries {
		if entry.IsDir() || filepath.Ext(entry.Name()) == ".vmdk" {
			continue
		}
		if err := os.Link(filepath.Join(old, entry.Name()), filepath.Join(home, entry.Name())); err != nil {
			return fileFault(c.datastorePath(home), err)
		}
	}
	return nil
}

// carryFiles gives those of the files that are there a second name beside the target. So what a machine that runs
// writes meanwhile is in the file that it has then.
func (c *center) carryFiles(to *store, target string, files ...string) types.BaseMethodFault {
	size := int64(0)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			size += fileSize(file, info)
		}
	}
	return c.grow(to, size, func() types.BaseMethodFault {
		for _, file := range files {
			err := os.Link(file, filepath.Join(filepath.Dir(target), filepath.Base(file)))
			if err != nil && !os.IsNotExist(err) {
				return fileFault(c.datastorePath(target), err)
			}
		}
		return nil
	})
}
