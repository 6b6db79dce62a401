package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// A virtual disk is two files: a descriptor "x.vmdk", the text that says what the disk is, and its data "x-flat.vmdk"
// (of a child "x-delta.vmdk", see chains.go). A thick disk takes all of its capacity, a thin one what its data takes.

func flatName(name string) string { return strings.TrimSuffix(name, ".vmdk") + "-flat.vmdk" }

// fileSize is what a file takes on its datastore: a thick disk by its descriptor, a thin one by its data. The data of a
// disk that is half copied takes what was promised to it.
func fileSize(file string, info fs.FileInfo) int64 {
	for _, suffix := range []string{"-flat.vmdk", "-delta.vmdk"} {
		data, ok := strings.CutSuffix(file, suffix)
		if !ok {
			continue
		}
		descriptor, err := readDescriptor(data + ".vmdk")
		switch {
		case err != nil:
			return max(info.Size(), allocated(info))
		case isThin(descriptor):
			return allocated(info)
		default:
			return 0
		}
	}
	if filepath.Ext(file) == ".vmdk" {
		if descriptor, err := readDescriptor(file); err == nil && !isThin(descriptor) {
			return descriptor.Capacity()
		}
	}
	return min(info.Size(), allocated(info))
}

func isThin(descriptor *vmdk.Descriptor) bool { return descriptor.DDB["thinProvisioned"] == "1" }

func allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}

// diskSize is what a disk takes; 0 when it is not whole.
func diskSize(file string) int64 {
	descriptor, err := readDescriptor(file)
	if err != nil {
		return 0
	}
	if !isThin(descriptor) {
		return descriptor.Capacity()
	}
	size := int64(0)
	for _, data := range []string{flatName(file), deltaName(file)} {
		if info, err := os.Stat(data); err == nil {
			size += allocated(info)
		}
	}
	return size
}

// readDescriptor reads a disk's descriptor; a partial one is an error.
func readDescriptor(file string) (*vmdk.Descriptor, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	descriptor, err := vmdk.ParseDescriptor(io.LimitReader(f, mib))
	if err != nil {
		return nil, err
	}
	if len(descriptor.Extent) == 0 {
		return nil, errors.New("no extent: a partial descriptor")
	}
	return descriptor, nil
}

func capacity(file string) (int64, error) {
	descriptor, err := readDescriptor(file)
	if err != nil {
		return 0, err
	}
	return descriptor.Capacity(), nil
}

func (s *store) free() int64 {
	used := int64(0)
	_ = filepath.WalkDir(s.folder, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // files come and go while we walk
		}
		if info, err := entry.Info(); err == nil {
			used += fileSize(file, info)
		}
		return nil
	})
	return max(s.capacity-used-s.promised.Load(), 0)
}

// refreshStores publishes capacity and free space; the simulator's own figures are one TB per host and no check.
func (c *center) refreshStores() {
	ctx := c.newContext()
	for _, s := range c.stores {
		ds := c.registry.Get(s.ref).(*simulator.Datastore)
		free := s.free()
		c.registry.WithLock(ctx, ds, func() {
			info := ds.Info.GetDatastoreInfo()
			info.FreeSpace = free
			ds.Summary.MultipleHostAccess = types.NewBool(true)
			ctx.Update(ds, []types.PropertyChange{
				{Name: "summary.capacity", Val: s.capacity},
				{Name: "summary.freeSpace", Val: free},
			})
		})
	}
}

// grow lets `make` take `size` bytes of a datastore, unless it is full: then vim.fault.NoDiskSpace.
func (c *center) grow(s *store, size int64, make func() types.BaseMethodFault) types.BaseMethodFault {
	c.growth.Lock()
	defer c.growth.Unlock()
	if c.faults.noSpace(s.name) || s.free() < size {
		return noRoom(s)
	}
	return make()
}

func noRoom(s *store) types.BaseMethodFault {
	return &types.NoDiskSpace{FileFault: types.FileFault{File: "[" + s.name + "]"}, Datastore: s.name}
}

// filledUp: the datastore was told to be full while a copy was made.
func (c *center) filledUp(s *store) types.BaseMethodFault {
	if c.faults.noSpace(s.name) {
		return noRoom(s)
	}
	return nil
}

func fileFault(name string, err error) types.BaseMethodFault {
	file := types.FileFault{File: name}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &types.FileNotFound{FileFault: file}
	case errors.Is(err, fs.ErrExist):
		return &types.FileAlreadyExists{FileFault: file}
	default:
		return &types.CannotAccessFile{FileFault: file}
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

// place is a datastore path together with where it is on this machine.
type place struct {
	name  string
	store *store
	file  string
}

// source and target of an operation; the source must be there, the target must not, unless forced.
func (c *center) sourceAndTarget(from, to string, force *bool) (source, target place, fault types.BaseMethodFault) {
	source.name, target.name = from, to
	if source.store, source.file, fault = c.resolve(from); fault != nil {
		return
	}
	if target.store, target.file, fault = c.resolve(to); fault != nil {
		return
	}
	if _, err := os.Stat(source.file); err != nil {
		return source, target, fileFault(from, err)
	}
	if _, err := os.Stat(target.file); err == nil && !isTrue(force) {
		return source, target, fileFault(to, fs.ErrExist)
	}
	return
}

type diskManager struct {
	*simulator.VirtualDiskManager
	center *center
}

func (m *diskManager) start(method string, cancelable bool, work func(*job) types.BaseMethodFault) types.ManagedObjectReference {
	return m.center.run("VirtualDiskManager", method, cancelable, work)
}

func (m *diskManager) CopyVirtualDiskTask(_ *simulator.Context, req *types.CopyVirtualDisk_Task) soap.HasFault {
	ref := m.start("copyVirtualDisk", true, func(j *job) types.BaseMethodFault { return m.center.copyDisk(j, req) })
	return &methods.CopyVirtualDisk_TaskBody{Res: &types.CopyVirtualDisk_TaskResponse{Returnval: ref}}
}

// copyDisk writes the first line of the target's descriptor, and the rest when the data is there: what a cancel or a
// crash leaves behind is a file that is in the way and can't be used, as with a real copy.
func (c *center) copyDisk(j *job, req *types.CopyVirtualDisk_Task) types.BaseMethodFault {
	source, target, fault := c.sourceAndTarget(req.SourceName, req.DestName, req.Force)
	if fault != nil {
		return fault
	}
	defer c.readers.add(source.file)()
	from, fault := c.contentOf(source.file)
	if fault != nil {
		return fault
	}
	ctx, stop := j.context()
	defer stop()
	if fault := from.awaitRelease(ctx, source.name); fault != nil {
		return fault
	}
	if len(from.children) > 0 {
		return c.copyFlattened(j, from, target)
	}
	source.file = from.base // of a child that was never written
	text, err := os.ReadFile(source.file)
	if err != nil {
		return fileFault(source.name, err)
	}
	text = asCopy(text, source.file, target.file)
	size := int64(len(text))
	if descriptor, err := vmdk.ParseDescriptor(bytes.NewReader(text)); err == nil && len(descriptor.Extent) > 0 {
		size = descriptor.Capacity()
		if isThin(descriptor) {
			size = diskSize(source.file)
		}
	}
	fault = c.grow(target.store, size, func() types.BaseMethodFault {
		// The data file is reserved in full (sparse, it takes no room here), so that a second copy sees it taken.
		first, _, _ := bytes.Cut(text, []byte("\n"))
		if err := os.WriteFile(target.file, first, 0o600); err != nil {
			return fileFault(target.name, err)
		}
		return reserve(flatName(target.file), size, target.name)
	})
	if fault != nil {
		return fault
	}
	c.refreshStores()
	if fault := j.wait(c.faults.delay("CopyVirtualDisk")); fault != nil {
		return fault
	}
	if fault := c.filledUp(target.store); fault != nil { // the partial copy stays, as may happen
		return fault
	}
	if fault := copyData(j, flatName(source.file), flatName(target.file)); fault != nil {
		return fault
	}
	if err := writeAtomically(target.file, text); err != nil {
		return fileFault(target.name, err)
	}
	return nil
}

// copyData copies a disk's data into the reserved file, holes as holes. A missing source counts as empty.
func copyData(j *job, from, to string) types.BaseMethodFault {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fileFault(from, err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY, 0o600)
	if err != nil {
		return fileFault(to, err)
	}
	defer out.Close()
	info, err := in.Stat()
	if err != nil {
		return fileFault(from, err)
	}
	if err := copyHoles(j, in, out, info.Size()); err != nil {
		if errors.Is(err, errCancelled) {
			return &types.RequestCanceled{}
		}
		return fileFault(to, err)
	}
	return nil
}

var errCancelled = errors.New("cancelled")

// Of lseek(2): where data begins, and where it ends.
const seekData, seekHole = 3, 4

func copyHoles(j *job, in, out *os.File, size int64) error {
	buffer := make([]byte, 4*mib)
	for at := int64(0); at < size; {
		begin, err := in.Seek(at, seekData)
		if err != nil { // nothing but a hole follows
			break
		}
		end, err := in.Seek(begin, seekHole)
		if err != nil {
			return err
		}
		for at = begin; at < end; {
			select {
			case <-j.cancel:
				return errCancelled
			default:
			}
			n, err := in.ReadAt(buffer[:min(int64(len(buffer)), end-at)], at)
			if n == 0 {
				return err
			}
			if _, err := out.WriteAt(buffer[:n], at); err != nil {
				return err
			}
			at += int64(n)
		}
	}
	return out.Truncate(size)
}

func reserve(file string, size int64, name string) types.BaseMethodFault {
	f, err := os.Create(file)
	if err != nil {
		return fileFault(name, err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return fileFault(name, err)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (m *diskManager) MoveVirtualDiskTask(_ *simulator.Context, req *types.MoveVirtualDisk_Task) soap.HasFault {
	ref := m.start("moveVirtualDisk", false, func(*job) types.BaseMethodFault {
		source, target, fault := m.center.sourceAndTarget(req.SourceName, req.DestName, req.Force)
		if fault != nil {
			return fault
		}
		if fault := m.center.locked(source); fault != nil {
			return fault
		}
		_ = os.Rename(flatName(source.file), flatName(target.file)) // of these one is missing, or both
		_ = os.Rename(deltaName(source.file), deltaName(target.file))
		if err := os.Rename(source.file, target.file); err != nil {
			return fileFault(target.name, err)
		}
		return nil
	})
	return &methods.MoveVirtualDisk_TaskBody{Res: &types.MoveVirtualDisk_TaskResponse{Returnval: ref}}
}

func (m *diskManager) DeleteVirtualDiskTask(_ *simulator.Context, req *types.DeleteVirtualDisk_Task) soap.HasFault {
	ref := m.start("deleteVirtualDisk", false, func(*job) types.BaseMethodFault {
		s, file, fault := m.center.resolve(req.Name)
		if fault != nil {
			return fault
		}
		if fault := m.center.locked(place{req.Name, s, file}); fault != nil {
			return fault
		}
		if undeletable(file) {
			return &types.CannotDeleteFile{FileFault: types.FileFault{File: req.Name}}
		}
		if err := os.Remove(file); err != nil {
			return fileFault(req.Name, err)
		}
		_ = os.Remove(flatName(file)) // of these one is missing, or both
		_ = os.Remove(deltaName(file))
		return nil
	})
	return &methods.DeleteVirtualDisk_TaskBody{Res: &types.DeleteVirtualDisk_TaskResponse{Returnval: ref}}
}

func (m *diskManager) CreateVirtualDiskTask(_ *simulator.Context, req *types.CreateVirtualDisk_Task) soap.HasFault {
	ref := m.start("createVirtualDisk", false, func(j *job) types.BaseMethodFault {
		if fault := j.wait(m.center.faults.delay("CreateVirtualDisk")); fault != nil {
			return fault
		}
		s, file, fault := m.center.resolve(req.Name)
		if fault != nil {
			return fault
		}
		size := int64(0)
		if spec, ok := req.Spec.(types.BaseFileBackedVirtualDiskSpec); ok {
			size = spec.GetFileBackedVirtualDiskSpec().CapacityKb * 1024
		}
		return m.center.grow(s, size, func() types.BaseMethodFault { return createDisk(req.Name, file, size) })
	})
	return &methods.CreateVirtualDisk_TaskBody{Res: &types.CreateVirtualDisk_TaskResponse{Returnval: ref}}
}

func createDisk(name, file string, size int64) types.BaseMethodFault {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fileFault(name, err)
	}
	defer f.Close()
	extent := vmdk.Extent{Info: filepath.Base(flatName(file)), Size: size / vmdk.SectorSize}
	if err := vmdk.NewDescriptor(extent).Write(f); err != nil {
		return fileFault(name, err)
	}
	if err := os.WriteFile(flatName(file), nil, 0o600); err != nil {
		return fileFault(name, err)
	}
	return nil
}

// locked refuses to touch a disk that a powered-on machine uses, also as a parent, or a folder with such a disk.
func (c *center) locked(p place) types.BaseMethodFault {
	if user := c.machines.uses(p.file, true); user != "" {
		return &types.FileLocked{FileFault: types.FileFault{File: p.name}}
	}
	return nil
}

type fileManager struct {
	*simulator.FileManager
	center *center
}

func (m *fileManager) start(method string, work func(*job) types.BaseMethodFault) types.ManagedObjectReference {
	return m.center.run("FileManager", method, false, work)
}

func (m *fileManager) DeleteDatastoreFileTask(_ *simulator.Context, req *types.DeleteDatastoreFile_Task) soap.HasFault {
	ref := m.start("deleteDatastoreFile", func(*job) types.BaseMethodFault {
		s, file, fault := m.center.resolve(req.Name)
		if fault != nil {
			return fault
		}
		if file == s.folder { // "[ds1]" alone would empty the datastore
			return &types.CannotDeleteFile{FileFault: types.FileFault{File: req.Name}}
		}
		if fault := m.center.locked(place{req.Name, s, file}); fault != nil {
			return fault
		}
		if _, err := os.Stat(file); err != nil {
			return fileFault(req.Name, err)
		}
		if err := os.RemoveAll(file); err != nil {
			return fileFault(req.Name, err)
		}
		return nil
	})
	return &methods.DeleteDatastoreFile_TaskBody{Res: &types.DeleteDatastoreFile_TaskResponse{Returnval: ref}}
}

func (m *fileManager) MoveDatastoreFileTask(_ *simulator.Context, req *types.MoveDatastoreFile_Task) soap.HasFault {
	ref := m.start("moveDatastoreFile", func(*job) types.BaseMethodFault {
		source, target, fault := m.center.sourceAndTarget(req.SourceName, req.DestinationName, req.Force)
		if fault != nil {
			return fault
		}
		if fault := m.center.locked(source); fault != nil {
			return fault
		}
		if err := os.Rename(source.file, target.file); err != nil {
			return fileFault(target.name, err)
		}
		return nil
	})
	return &methods.MoveDatastoreFile_TaskBody{Res: &types.MoveDatastoreFile_TaskResponse{Returnval: ref}}
}

func (m *fileManager) CopyDatastoreFileTask(_ *simulator.Context, req *types.CopyDatastoreFile_Task) soap.HasFault {
	ref := m.start("copyDatastoreFile", func(*job) types.BaseMethodFault {
		source, target, fault := m.center.sourceAndTarget(req.SourceName, req.DestinationName, req.Force)
		if fault != nil {
			return fault
		}
		info, err := os.Stat(source.file)
		if err != nil {
			return fileFault(source.name, err)
		}
		return m.center.grow(target.store, fileSize(source.file, info), func() types.BaseMethodFault {
			if err := copyFile(source.file, target.file); err != nil {
				return fileFault(target.name, err)
			}
			return nil
		})
	})
	return &methods.CopyDatastoreFile_TaskBody{Res: &types.CopyDatastoreFile_TaskResponse{Returnval: ref}}
}

const storesEvery = 2 * time.Second

// watchStores publishes what machines that run have written meanwhile.
func (c *center) watchStores() {
	for range time.Tick(storesEvery) {
		c.refreshStores()
		c.leases.expire()
		for _, entity := range c.registry.All("VirtualMachine") {
			if vm, ok := entity.(*simulator.VirtualMachine); ok {
				c.refreshUsage(vm)
			}
		}
	}
}

// refreshUsage publishes what a machine takes: what of it is its own ("unshared"), and with its disks' parents.
func (c *center) refreshUsage(vm *simulator.VirtualMachine) {
	ctx := c.newContext()
	c.registry.WithLock(ctx, vm, func() {
		if vm.Config == nil || vm.Storage == nil {
			return
		}
		found := map[types.ManagedObjectReference]types.VirtualMachineUsageOnDatastore{}
		add := func(file string, own bool) {
			for _, s := range c.stores {
				if !strings.HasPrefix(file, s.folder+"/") {
					continue
				}
				usage, size := found[s.ref], diskSize(file)
				usage.Datastore = s.ref
				usage.Committed += size
				if own {
					usage.Unshared += size
				}
				found[s.ref] = usage
			}
		}
		facts := c.describe(&vm.VirtualMachine)
		for _, disk := range facts.Disks {
			add(disk, true)
		}
		for _, parent := range slices.Compact(facts.Parents) { // one that is layered is there twice
			if !slices.Contains(facts.Disks, parent) {
				add(parent, false)
			}
		}
		usage := slices.Collect(maps.Values(found))
		slices.SortFunc(usage, func(a, b types.VirtualMachineUsageOnDatastore) int {
			return strings.Compare(a.Datastore.Value, b.Datastore.Value)
		})
		if !slices.Equal(usage, vm.Storage.PerDatastoreUsage) {
			ctx.Update(vm, []types.PropertyChange{{Name: "storage.perDatastoreUsage", Val: usage}})
		}
	})
}
