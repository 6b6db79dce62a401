package main

import (
	"context"
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
)

// Disks come and go over HTTP under a lease, as streamOptimized VMDKs: ImportVApp makes a machine and takes its disks,
// ExportVm gives those of a machine that is off. Whoever knows a lease's URL may use it, until the lease ends; while it
// is held, nothing else changes the machine. The simulator's own takes uploads and throws them away, and has no exports.

const leaseTime = 5 * time.Minute // without a word from the client

// transfer is a disk that is given or taken.
type transfer struct {
	file  string // descriptor
	taken bool   // by an import
	done  bool
}

type lease struct {
	mo.HttpNfcLease
	center  *center
	machine string // its id; empty: not made yet
	mutex   sync.Mutex
	disks   map[string]*transfer // by target id
	heard   time.Time
	undo    func() // of an import that was given up
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

// of is the lease that is held on a machine, or nil.
func (l *leases) of(machine string) *lease {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, each := range l.all {
		if each.machine == machine {
			return each
		}
	}
	return nil
}

// holds: the machine of an import is made.
func (l *leases) holds(held *lease, machine string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	held.machine = machine
}

// drop lets nobody use a lease any more.
func (l *leases) drop(id string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.all, id)
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

// newLease is one on a machine; empty: on one that is still to be made.
func (c *center) newLease(machine string) *lease {
	c.leases.mutex.Lock()
	defer c.leases.mutex.Unlock()
	c.leases.count++
	id := fmt.Sprintf("lease-%d-%d", time.Now().UnixNano(), c.leases.count)
	l := &lease{center: c, machine: machine, disks: map[string]*transfer{}, heard: time.Now()}
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
	l.center.leases.drop(l.Self.Value)
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
	l.center.leases.drop(l.Self.Value) // at once: the client goes on with the machine
	go l.end()
	return &methods.HttpNfcLeaseCompleteBody{Res: &types.HttpNfcLeaseCompleteResponse{}}
}

func (l *lease) HttpNfcLeaseAbort(*simulator.Context, *types.HttpNfcLeaseAbort) soap.HasFault {
	l.center.leases.drop(l.Self.Value)
	go func() {
		l.end()
		if l.undo != nil {
			l.undo()
		}
	}()
	return &methods.HttpNfcLeaseAbortBody{Res: &types.HttpNfcLeaseAbortResponse{}}
}

func (m *machineObject) ExportVm(*simulator.Context, *types.ExportVm) soap.HasFault {
	if m.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
		return &methods.ExportVmBody{Fault_: simulator.Fault("", &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: m.Runtime.PowerState,
		})}
	}
	fault := m.busy()
	for _, disk := range m.center.machines.disks(m.Self.Value) {
		if fault == nil {
			_, fault = m.center.exportable(disk)
		}
	}
	if fault != nil {
		return &methods.ExportVmBody{Fault_: simulator.Fault(whyNot(fault), fault)}
	}
	l := m.center.newLease(m.Self.Value)
	go l.ready(m.VirtualMachine, false)
	return &methods.ExportVmBody{Res: &types.ExportVmResponse{Returnval: l.Self}}
}

// busy is why a machine can't be changed now: its disks are being sent or taken.
func (m *machineObject) busy() types.BaseMethodFault {
	if l := m.center.leases.of(m.Self.Value); l != nil {
		return &types.TaskInProgress{Task: types.ManagedObjectReference{Type: "Task", Value: "of " + l.Self.Value}}
	}
	return nil
}

// exportable is the content of a disk that can be exported.
func (c *center) exportable(file string) (content, types.BaseMethodFault) {
	from, fault := c.contentOf(file)
	if fault != nil {
		return from, fault
	}
	if _, err := os.Stat(flatName(from.base)); err != nil {
		return from, &types.FileNotFound{FileFault: types.FileFault{File: c.datastorePath(from.base)}}
	}
	return from, nil
}

// whyNot is a fault of exportable in words.
func whyNot(fault types.BaseMethodFault) string {
	if _, layered := fault.(*types.NotSupported); layered {
		return "The disk holds layers of a file system, which are merged only with -python."
	}
	return words(fault)
}

// rawOf is a raw file with a disk's content; in the folder, if it must be made.
func (c *center) rawOf(ctx context.Context, from content, folder string) (string, error) {
	if len(from.children) > 0 {
		raw := filepath.Join(folder, "flat.raw")
		return raw, c.flatten(ctx, from, raw, func(int32) {})
	}
	raw := flatName(from.base)
	if info, err := os.Stat(raw); err == nil && info.Size() < size(from.base) { // of a disk that was never written
		return raw, os.Truncate(raw, size(from.base))
	}
	return raw, nil
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
	l := p.center.newLease("")
	go func() { // it needs the pool's lock, which the call holds
		vm, fault := p.center.makeForImport(own, p.Self, req, spec.ConfigSpec)
		if fault != nil {
			l.fail(fault)
			return
		}
		l.undo = func() {
			(&machineObject{vm, p.center}).DestroyTask(own, &types.Destroy_Task{This: vm.Self})
		}
		l.center.leases.holds(l, vm.Self.Value)
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
	if err := qemuImg(context.Background(), "convert", "-f", "vmdk", "-O", "raw", sent, raw); err != nil {
		return err
	}
	if info, err := os.Stat(raw); err != nil || info.Size() > size(disk.file) {
		return errors.New("the disk that was sent is larger than that of the machine")
	}
	if err := os.Truncate(raw, size(disk.file)); err != nil {
		return err
	}
	if err := os.Rename(raw, flatName(disk.file)); err != nil {
		return err
	}
	if err := writeThin(disk.file, size(disk.file)); err != nil {
		return err
	}
	l.mutex.Lock()
	disk.done = true
	l.mutex.Unlock()
	return nil
}

// give sends a disk as one that has no parents. As an ESXi host does, without a length, which nobody knows before.
func (l *lease) give(disk *transfer, w http.ResponseWriter, r *http.Request) error {
	from, fault := l.center.exportable(disk.file)
	if fault != nil {
		return errors.New(whyNot(fault))
	}
	if fault := from.awaitRelease(r.Context(), l.center.datastorePath(disk.file)); fault != nil {
		return errors.New(words(fault))
	}
	folder, err := os.MkdirTemp("", "export")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	raw, err := l.center.rawOf(r.Context(), from, folder)
	if err != nil {
		return err
	}
	sent := filepath.Join(folder, "sent.vmdk")
	options := []string{"convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized"}
	if err := qemuImg(r.Context(), append(options, raw, sent)...); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-vnd.vmware-streamVmdk")
	if err := l.send(sent, w); err != nil {
		panic(http.ErrAbortHandler) // the answer has begun: all that is left is to hang up
	}
	return nil
}

const piece = 256 << 10 // bytes

// send takes as long as was ordered, and may be told to break off in the middle.
func (l *lease) send(file string, w http.ResponseWriter) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	pause := l.center.faults.delay("ExportVm") * piece / time.Duration(max(info.Size(), piece))
	last, broken := info.Size(), l.center.faults.breaks()
	if broken {
		last /= 2
	}
	for at := int64(0); at < last; at += piece {
		time.Sleep(pause)
		if l.center.leases.find(l.Self.Value) == nil {
			return errors.New("the lease has ended")
		}
		if _, err := io.CopyN(w, f, min(piece, last-at)); err != nil {
			return err
		}
		w.(http.Flusher).Flush()
	}
	if broken {
		return errors.New("broken off as ordered")
	}
	return nil
}

func qemuImg(ctx context.Context, words ...string) error {
	said, err := exec.CommandContext(ctx, "qemu-img", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu-img: %s", strings.TrimSpace(string(said)))
	}
	return nil
}
