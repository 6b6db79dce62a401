package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const mib, gib = int64(1) << 20, int64(1) << 30

// host is what a hypervisor host has: hardware threads and MiB of memory.
type host struct {
	name     string
	threads  int
	memoryMB int64
}

// store is a datastore: a folder of this machine with a capacity in bytes.
type store struct {
	name     string
	folder   string
	capacity int64
	ref      types.ManagedObjectReference
	promised atomic.Int64 // bytes, to what has no name yet
}

// center is the whole vCenter.
type center struct {
	service  *simulator.Service
	registry *simulator.Registry
	model    *simulator.Model
	dc       *simulator.Datacenter
	client   *vim25.Client // calls the simulator within the process
	stores   map[string]*store
	journal  *journal
	faults   *faults
	events   *events
	jobs     *jobs
	machines *machines
	leases   *leases
	readers  *readers
	port     string     // at which we listen
	sessions sync.Map   // keys of the sessions that have called
	growth   sync.Mutex // held from a look at free space to the file that takes it

	keepParents bool   // a disk that has had children can't be deleted
	python      string // runs the lab's programs; empty: no layers can be merged
}

var hostPattern = regexp.MustCompile(`^([\w.-]+)=(\d+):(\d+)$`)

func parseHosts(text string) ([]host, error) {
	var hosts []host
	for _, item := range strings.Split(text, ",") {
		m := hostPattern.FindStringSubmatch(item)
		if m == nil {
			return nil, fmt.Errorf("-hosts: %q is not NAME=THREADS:MIB", item)
		}
		threads, _ := strconv.Atoi(m[2])
		memory, _ := strconv.ParseInt(m[3], 10, 64)
		hosts = append(hosts, host{m[1], threads, memory})
	}
	return hosts, nil
}

var storePattern = regexp.MustCompile(`^([\w.-]+)=(/.*):(\d+)$`)

func parseStores(text string) (map[string]*store, error) {
	stores := map[string]*store{}
	for _, item := range strings.Split(text, ",") {
		m := storePattern.FindStringSubmatch(item)
		if m == nil {
			return nil, fmt.Errorf("-datastores: %q is not NAME=/FOLDER:GIB", item)
		}
		capacity, _ := strconv.ParseInt(m[3], 10, 64)
		if err := os.MkdirAll(m[2], 0o700); err != nil {
			return nil, err
		}
		stores[m[1]] = &store{name: m[1], folder: filepath.Clean(m[2]), capacity: capacity * gib}
	}
	return stores, nil
}

// newCenter builds the fixed part of the inventory: one datacenter with its hosts, datastores and networks.
func newCenter(hosts []host, stores map[string]*store, networks []string, j *journal) (*center, error) {
	model := simulator.VPX()
	model.Cluster, model.Host, model.Datastore, model.Machine, model.Portgroup = 0, 0, 0, 0, 0
	if err := model.Create(); err != nil {
		return nil, err
	}
	// A task that is delayed must not keep its object locked: reads of a machine that powers on have to go on.
	simulator.TaskDelay.MethodDelay = map[string]int{"LockHandoff": 0}
	c := &center{
		service:  model.Service,
		registry: model.Map(),
		model:    model,
		stores:   stores,
		journal:  j,
		faults:   newFaults(),
		events:   newEvents(os.Stdout),
		jobs:     newJobs(),
		machines: newMachines(),
		leases:   newLeases(),
		readers:  newReaders(),
	}
	c.dc = c.registry.Any("Datacenter").(*simulator.Datacenter)
	client, err := vim25.NewClient(context.Background(), c.service)
	if err != nil {
		return nil, err
	}
	c.client = client
	for _, h := range hosts {
		if err := c.addHost(h, networks); err != nil {
			return nil, fmt.Errorf("host %s: %w", h.name, err)
		}
	}
	c.registry.AddHandler(&hook{center: c})
	c.registry.Handler = c.intercept
	c.refreshStores()
	return c, nil
}

func (c *center) addHost(h host, networks []string) error {
	ctx := context.Background()
	folder := object.NewFolder(c.client, c.dc.HostFolder)
	task, err := folder.AddStandaloneHost(ctx, types.HostConnectSpec{HostName: h.name}, true, nil, nil)
	if err != nil {
		return err
	}
	info, err := task.WaitForResult(ctx)
	if err != nil {
		return err
	}
	// For a standalone host the task's result is the host or its compute resource, depending on the version.
	found := c.registry.Get(info.Result.(types.ManagedObjectReference))
	if cr, ok := found.(*mo.ComputeResource); ok {
		found = c.registry.Get(cr.Host[0])
	}
	system := found.(*simulator.HostSystem)
	c.setHardware(system, h)
	remote := object.NewHostSystem(c.client, system.Self)
	datastores, err := remote.ConfigManager().DatastoreSystem(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.stores)) {
		s := c.stores[name]
		if _, err := datastores.CreateLocalDatastore(ctx, s.name, s.folder); err != nil {
			return err
		}
		// Not the answer: the second host mounts the datastore that the first one made, but is told of another.
		s.ref = c.registry.FindByName(s.name, c.datastoreRefs()).Reference()
	}
	return c.addNetworks(remote, networks)
}

func (c *center) datastoreRefs() []types.ManagedObjectReference {
	return c.registry.Get(c.dc.DatastoreFolder).(*simulator.Folder).ChildEntity
}

// addNetworks makes the port groups with the first host and gives them to the others.
func (c *center) addNetworks(remote *object.HostSystem, networks []string) error {
	ctx := context.Background()
	system, err := remote.ConfigManager().NetworkSystem(ctx)
	if err != nil {
		return err
	}
	folder := c.registry.Get(c.dc.NetworkFolder).(*simulator.Folder)
	hostObject := c.registry.Get(remote.Reference()).(*simulator.HostSystem)
	for _, name := range networks {
		if c.registry.FindByName(name, folder.ChildEntity) == nil {
			spec := types.HostPortGroupSpec{Name: name, VswitchName: "vSwitch0"}
			if err := system.AddPortGroup(ctx, spec); err != nil {
				return err
			}
		}
		network := c.registry.FindByName(name, folder.ChildEntity)
		resource := c.registry.Get(*hostObject.Parent).(*mo.ComputeResource)
		locks := c.newContext()
		c.registry.AddReference(locks, hostObject, &hostObject.Network, network.Reference())
		c.registry.AddReference(locks, resource, &resource.Network, network.Reference())
		c.registry.AddReference(locks, network, &network.(*mo.Network).Host, hostObject.Self)
	}
	return nil
}

// setHardware makes a host as big as it was asked for; the simulator's template has 2 threads and 4 GiB.
func (c *center) setHardware(system *simulator.HostSystem, h host) {
	cores, memory := int16(h.threads), h.memoryMB*mib
	system.Hardware.MemorySize = memory
	system.Hardware.CpuInfo.NumCpuPackages = 1
	system.Hardware.CpuInfo.NumCpuCores = cores
	system.Hardware.CpuInfo.NumCpuThreads = cores
	summary := system.Summary.Hardware
	summary.MemorySize = memory
	summary.NumCpuPkgs, summary.NumCpuCores, summary.NumCpuThreads = 1, cores, cores
	system.Summary.QuickStats.OverallCpuUsage, system.Summary.QuickStats.OverallMemoryUsage = 0, 0

	resource := c.registry.Get(*system.Parent).(*mo.ComputeResource)
	total := resource.Summary.GetComputeResourceSummary()
	total.TotalCpu, total.EffectiveCpu = int32(h.threads)*summary.CpuMhz, int32(h.threads)*summary.CpuMhz
	total.TotalMemory, total.EffectiveMemory = memory, h.memoryMB
	total.NumCpuCores, total.NumCpuThreads = cores, cores
}

// resolve turns "[ds1] folder/file" into the datastore and the path on this machine; ".." stays inside.
func (c *center) resolve(name string) (*store, string, types.BaseMethodFault) {
	var p object.DatastorePath
	if !p.FromString(name) {
		return nil, "", &types.InvalidDatastorePath{DatastorePath: name}
	}
	s, ok := c.stores[p.Datastore]
	if !ok {
		return nil, "", &types.InvalidDatastorePath{
			InvalidDatastore: types.InvalidDatastore{Name: p.Datastore}, DatastorePath: name,
		}
	}
	return s, filepath.Join(s.folder, path.Clean("/"+p.Path)), nil
}

// datastorePath is the way back: "[ds1] folder/file".
func (c *center) datastorePath(file string) string {
	for _, s := range c.stores {
		if inside, ok := strings.CutPrefix(file, s.folder+"/"); ok {
			return "[" + s.name + "] " + inside
		}
	}
	return file
}
