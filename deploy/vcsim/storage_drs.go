package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const configureCluster = "StoragePod.Config" // the privilege

type storageManagerObject struct {
	*simulator.StorageResourceManager
	center *center
}

// ConfigureStorageDrsForPodTask knows what differs for single machines too; the simulator's forgets it. Datastore
// clusters are not in the journal.
func (m *storageManagerObject) ConfigureStorageDrsForPodTask(ctx *simulator.Context, req *types.ConfigureStorageDrsForPod_Task) soap.HasFault {
	if m.center.faults.denies(configureCluster) {
		fault := &types.NoPermission{Object: &req.Pod, PrivilegeId: configureCluster}
		return &methods.ConfigureStorageDrsForPod_TaskBody{Fault_: simulator.Fault("", fault)}
	}
	pod, ok := m.center.registry.Get(req.Pod).(*simulator.StoragePod)
	if !ok {
		fault := &types.ManagedObjectNotFound{Obj: req.Pod}
		return &methods.ConfigureStorageDrsForPod_TaskBody{Fault_: simulator.Fault("", fault)}
	}
	if len(req.Spec.VmConfigSpec) == 0 {
		return m.StorageResourceManager.ConfigureStorageDrsForPodTask(ctx, req)
	}
	ref := m.center.run("StorageResourceManager", "configureStorageDrsForPod", false, func(*job) (fault types.BaseMethodFault) {
		ctx := m.center.newContext()
		m.center.registry.WithLock(ctx, pod, func() {
			config := &pod.PodStorageDrsEntry.StorageDrsConfig
			for _, spec := range req.Spec.VmConfigSpec {
				if config.VmConfig, fault = override(config.VmConfig, spec); fault != nil {
					return
				}
			}
		})
		return fault
	})
	return &methods.ConfigureStorageDrsForPod_TaskBody{Res: &types.ConfigureStorageDrsForPod_TaskResponse{Returnval: ref}}
}

// override adds what differs for a machine, or changes it. What is there can't be added, what is not can't be changed.
func override(known []types.StorageDrsVmConfigInfo, spec types.StorageDrsVmConfigSpec) ([]types.StorageDrsVmConfigInfo, types.BaseMethodFault) {
	if spec.Info == nil || spec.Info.Vm == nil {
		return known, &types.InvalidArgument{InvalidProperty: "spec.vmConfigSpec.info.vm"}
	}
	at := slices.IndexFunc(known, func(info types.StorageDrsVmConfigInfo) bool { return *info.Vm == *spec.Info.Vm })
	switch {
	case at < 0 && spec.Operation == types.ArrayUpdateOperationAdd:
		return append(known, *spec.Info), nil
	case at >= 0 && spec.Operation == types.ArrayUpdateOperationEdit:
		known = slices.Clone(known)
		known[at] = *spec.Info
		return known, nil
	default:
		return known, &types.InvalidArgument{InvalidProperty: "spec.vmConfigSpec.operation"}
	}
}
