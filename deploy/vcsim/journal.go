package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// The journal is a folder: machines/<id>.json, one for each machine, and inventory.json. Every file is replaced by a
// rename, so it is always a whole one, the old or the new, whenever we are killed. Disks are files on datastores.

// machineRecord is a machine: where it is, whether it is on, and the specification that makes it again.
type machineRecord struct {
	Folder     []string        `json:"folder"` // below the datacenter's "vm" folder
	Host       string          `json:"host"`
	PowerState string          `json:"power"`
	Spec       json.RawMessage `json:"spec"` // VirtualMachineConfigSpec in VMware's JSON
}

// inventoryRecord is what else clients change.
type inventoryRecord struct {
	Folders      []string `json:"folders"` // slash-separated, parents first
	Maintenance  []string `json:"maintenance"`
	Disconnected []string `json:"disconnected"`
}

type journal struct {
	folder string
	lock   *os.File
	mutex  sync.Mutex
	paused bool              // while it is replayed
	files  map[string]string // machine's managed object id → its file
	wrote  map[string][]byte // file → what is in it, to write only changes
}

func openJournal(folder string) (*journal, error) {
	if err := os.MkdirAll(filepath.Join(folder, "machines"), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// Held until the process ends, however that happens: two vCenters must not write one journal.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("the journal %s is in use by another vcsim", folder)
	}
	return &journal{folder: folder, lock: lock, files: map[string]string{}, wrote: map[string][]byte{}, paused: true}, nil
}

// write replaces a file. What can't be written is a fault of the lab's machine: say so, go on, and try at the next change.
func (j *journal) write(file string, data []byte) {
	if bytes.Equal(j.wrote[file], data) {
		return
	}
	if err := writeAtomically(file, data); err != nil {
		log.Printf("journal: %v", err)
		return
	}
	j.wrote[file] = data
}

func writeAtomically(file string, data []byte) error {
	temporary := file + ".new"
	if err := os.WriteFile(temporary, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, file)
}

// saveMachine writes a machine's record to the file that it has, or to one named after its instance UUID.
func (j *journal) saveMachine(id string, record []byte) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.paused {
		return
	}
	if j.files[id] == "" {
		j.files[id] = j.freeFile(record)
	}
	j.write(j.files[id], record)
}

// freeFile: instance UUIDs are unique only if clients see to it.
func (j *journal) freeFile(record []byte) string {
	var content struct {
		Spec struct {
			InstanceUuid string `json:"instanceUuid"`
		} `json:"spec"`
	}
	_ = json.Unmarshal(record, &content)
	name := filepath.Base("/" + content.Spec.InstanceUuid)
	taken := func(file string) bool {
		_, err := os.Stat(file)
		return err == nil
	}
	file := filepath.Join(j.folder, "machines", name+".json")
	for taken(file) {
		name += "-again"
		file = filepath.Join(j.folder, "machines", name+".json")
	}
	return file
}

func (j *journal) removeMachine(id string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	file := j.files[id]
	delete(j.files, id)
	delete(j.wrote, file)
	if file != "" {
		if err := os.Remove(file); err != nil {
			log.Printf("journal: %v", err)
		}
	}
}

func (j *journal) saveInventory(record inventoryRecord) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.paused {
		return
	}
	data, err := json.MarshalIndent(record, "", " ")
	if err != nil {
		log.Printf("journal: %v", err)
		return
	}
	j.write(filepath.Join(j.folder, "inventory.json"), data)
}

// encode describes a machine for the journal. The caller holds its lock.
func (c *center) encode(vm *mo.VirtualMachine) []byte {
	spec := vm.Config.ToConfigSpec()
	for _, change := range spec.DeviceChange {
		change.GetVirtualDeviceConfigSpec().FileOperation = "" // disks are there
	}
	var text bytes.Buffer
	if err := types.NewJSONEncoder(&text).Encode(spec); err != nil {
		log.Printf("journal: %s: %v", vm.Name, err)
		return nil
	}
	host, _ := c.registry.Get(*vm.Runtime.Host).(*simulator.HostSystem)
	record := machineRecord{PowerState: string(vm.Runtime.PowerState), Spec: text.Bytes()}
	if host != nil {
		record.Host = host.Name
	}
	if vm.Parent != nil {
		record.Folder = c.folderPath(*vm.Parent)
	}
	data, err := json.Marshal(record)
	if err != nil {
		log.Printf("journal: %s: %v", vm.Name, err)
	}
	return data
}

// folderPath is a folder's path below the datacenter's "vm" folder; nil for that itself or one outside of it.
func (c *center) folderPath(ref types.ManagedObjectReference) []string {
	var names []string
	for ref != c.dc.VmFolder {
		folder, ok := c.registry.Get(ref).(*simulator.Folder)
		if !ok || folder.Parent == nil {
			return nil
		}
		names = append(names, folder.Name)
		ref = *folder.Parent
	}
	slices.Reverse(names)
	return names
}

// saveInventory writes folders and host states, without the folder that is just being removed.
func (c *center) saveInventory(except types.ManagedObjectReference) {
	record := inventoryRecord{Folders: []string{}, Maintenance: []string{}, Disconnected: []string{}}
	for _, entity := range c.registry.All("Folder") {
		if names := c.folderPath(entity.Reference()); len(names) > 0 && entity.Reference() != except {
			record.Folders = append(record.Folders, strings.Join(names, "/"))
		}
	}
	for _, entity := range c.registry.All("HostSystem") {
		h := entity.(*simulator.HostSystem)
		if h.Runtime.InMaintenanceMode {
			record.Maintenance = append(record.Maintenance, h.Name)
		}
		if h.Runtime.ConnectionState == types.HostSystemConnectionStateDisconnected {
			record.Disconnected = append(record.Disconnected, h.Name)
		}
	}
	sort.Strings(record.Folders) // "a" before "a/b"
	sort.Strings(record.Maintenance)
	sort.Strings(record.Disconnected)
	c.journal.saveInventory(record)
}

// restore replays the journal: what a client was told to exist is there again, and on if it was on. A machine that
// can't be restored (its disk was deleted by hand) is reported and stays in the journal.
func (c *center) restore() {
	inventory := c.journal.readInventory()
	for _, path := range inventory.Folders {
		if _, err := c.makeFolder(strings.Split(path, "/")); err != nil {
			log.Printf("journal: folder %s: %v", path, err)
		}
	}
	for _, file := range c.journal.machineFiles() {
		if err := c.restoreMachine(file); err != nil {
			log.Printf("journal: %s is not restored: %v", file, err)
		}
	}
	for _, name := range inventory.Maintenance {
		c.setHost(name, "inMaintenanceMode", true)
	}
	for _, name := range inventory.Disconnected {
		c.setHost(name, "connectionState", types.HostSystemConnectionStateDisconnected)
	}
	c.journal.mutex.Lock()
	c.journal.paused = false
	c.journal.mutex.Unlock()
}

func (c *center) setHost(name, property string, value types.AnyType) {
	if h := c.host(name); h != nil {
		c.registry.AtomicUpdate(c.newContext(), h, []types.PropertyChange{
			{Name: "runtime." + property, Val: value}, {Name: "summary.runtime." + property, Val: value},
		})
	}
}

func (j *journal) readInventory() inventoryRecord {
	var record inventoryRecord
	data, err := os.ReadFile(filepath.Join(j.folder, "inventory.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return record
	}
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	if err != nil {
		log.Printf("journal: %v", err)
	}
	return record
}

func (j *journal) machineFiles() []string {
	files, _ := filepath.Glob(filepath.Join(j.folder, "machines", "*.json"))
	half, _ := filepath.Glob(filepath.Join(j.folder, "*", "*.new")) // we were killed before the rename
	for _, file := range half {
		_ = os.Remove(file)
	}
	return files
}

func (c *center) makeFolder(names []string) (*object.Folder, error) {
	folder := object.NewFolder(c.client, c.dc.VmFolder)
	for _, name := range names {
		parent := c.registry.Get(folder.Reference()).(*simulator.Folder)
		if found := c.registry.FindByName(name, parent.ChildEntity); found != nil {
			folder = object.NewFolder(c.client, found.Reference())
			continue
		}
		made, err := folder.CreateFolder(context.Background(), name)
		if err != nil {
			return nil, err
		}
		folder = made
	}
	return folder, nil
}

func (c *center) restoreMachine(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var record machineRecord
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	var spec types.VirtualMachineConfigSpec
	if err := types.NewJSONDecoder(bytes.NewReader(record.Spec)).Decode(&spec); err != nil {
		return err
	}
	c.withoutLostParents(&spec)
	vm, err := c.makeAgain(record, spec)
	if err != nil {
		return err
	}
	c.journal.mutex.Lock()
	c.journal.files[vm.Reference().Value] = file
	c.journal.mutex.Unlock()
	if record.PowerState != string(types.VirtualMachinePowerStatePoweredOn) {
		return nil
	}
	task, err := vm.PowerOn(context.Background())
	if err != nil {
		return err
	}
	return task.Wait(context.Background())
}

func (c *center) makeAgain(record machineRecord, spec types.VirtualMachineConfigSpec) (*object.VirtualMachine, error) {
	folder, err := c.makeFolder(record.Folder)
	if err != nil {
		return nil, err
	}
	h := c.host(record.Host)
	if h == nil {
		return nil, errors.New("no host " + record.Host)
	}
	c.removeOwnFiles(spec)
	pool := c.registry.Get(*h.Parent).(*mo.ComputeResource).ResourcePool
	ctx := context.Background()
	task, err := folder.CreateVM(ctx, spec, object.NewResourcePool(c.client, *pool), object.NewHostSystem(c.client, h.Self))
	if err != nil {
		return nil, err
	}
	info, err := task.WaitForResult(ctx)
	if err != nil {
		return nil, err
	}
	return object.NewVirtualMachine(c.client, info.Result.(types.ManagedObjectReference)), nil
}

// withoutLostParents: a machine whose disk has lost a parent is there, and can't be switched on.
func (c *center) withoutLostParents(spec *types.VirtualMachineConfigSpec) {
	for _, change := range spec.DeviceChange {
		disk, ok := change.GetVirtualDeviceConfigSpec().Device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && backing.Parent != nil {
			if _, file, fault := c.resolve(backing.FileName); fault == nil {
				backing.Parent = c.backing(file)
			}
		}
	}
}

// removeOwnFiles removes the files that the simulator makes for a machine and refuses to find; nothing is in them.
func (c *center) removeOwnFiles(spec types.VirtualMachineConfigSpec) {
	if spec.Files == nil {
		return
	}
	if _, file, fault := c.resolve(spec.Files.VmPathName); fault == nil && filepath.Ext(file) == ".vmx" {
		_ = os.Remove(file)
	}
	if _, folder, fault := c.resolve(spec.Files.LogDirectory); fault == nil {
		_ = os.Remove(filepath.Join(folder, "vmware.log"))
	}
}
