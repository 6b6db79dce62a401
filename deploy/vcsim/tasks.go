package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// job is a running task of ours. The simulator's own tasks hold their object's lock while they work, so that a long
// copy would stop every other disk operation, and they can't be cancelled: they end as they would have.
type job struct {
	task     *simulator.Task
	cancel   chan struct{}
	once     sync.Once
	progress func(percent int32)
	result   types.AnyType
}

// jobs are the running tasks of ours that can be cancelled.
type jobs struct {
	mutex   sync.Mutex
	count   int
	running map[types.ManagedObjectReference]*job
}

func newJobs() *jobs { return &jobs{running: map[types.ManagedObjectReference]*job{}} }

func (j *jobs) find(ref types.ManagedObjectReference) *job {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.running[ref]
}

func (j *jobs) add(work *job) types.ManagedObjectReference {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.count++
	ref := types.ManagedObjectReference{Type: "Task", Value: fmt.Sprintf("task-file-%d", j.count)}
	j.running[ref] = work
	return ref
}

func (j *jobs) remove(ref types.ManagedObjectReference) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	delete(j.running, ref)
}

// run starts work as a task on the datacenter (a client reads its `entity`, which must be a managed entity) and
// returns at once. `method` is e.g. "VirtualDiskManager.copyVirtualDisk".
func (c *center) run(manager, method string, cancelable bool, work func(*job) types.BaseMethodFault) types.ManagedObjectReference {
	ctx := c.newContext()
	task := simulator.CreateTask(c.dc.Self, method, nil)
	j := &job{task: task}
	if cancelable {
		j.cancel = make(chan struct{})
	}
	task.Self = c.jobs.add(j)
	task.Info.Key, task.Info.Task = task.Self.Value, task.Self
	task.Info.DescriptionId = manager + "." + method
	task.Info.EntityName = c.dc.Name
	task.Info.Cancelable = cancelable
	update := func(changes ...types.PropertyChange) { c.registry.AtomicUpdate(ctx, task, changes) }
	j.progress = func(percent int32) { update(types.PropertyChange{Name: "info.progress", Val: percent}) }
	c.registry.Put(task)
	update(
		types.PropertyChange{Name: "info.startTime", Val: time.Now()},
		types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateRunning},
	)
	go func() {
		fault := work(j)
		c.refreshStores()
		c.jobs.remove(task.Self)
		if fault == nil {
			update(
				types.PropertyChange{Name: "info.completeTime", Val: time.Now()},
				types.PropertyChange{Name: "info.progress", Val: int32(100)},
				types.PropertyChange{Name: "info.result", Val: j.result},
				types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess},
			)
			return
		}
		_, cancelled := fault.(*types.RequestCanceled)
		update(
			types.PropertyChange{Name: "info.completeTime", Val: time.Now()},
			types.PropertyChange{Name: "info.cancelled", Val: cancelled},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError},
			types.PropertyChange{Name: "info.error", Val: localized(fault)},
		)
	}()
	return task.Self
}

// refuse makes a task that has failed with the fault, on an object whose method was called.
func (c *center) refuse(ctx *simulator.Context, ref types.ManagedObjectReference, method string, fault types.BaseMethodFault) types.ManagedObjectReference {
	task := simulator.CreateTask(ref, method, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		return nil, fault
	})
	return task.Run(ctx)
}

// wait sleeps for a delay in small steps that report progress; it ends early, with a fault, when cancelled.
func (j *job) wait(delay time.Duration) types.BaseMethodFault {
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		left := delay - time.Since(start)
		if left <= 0 {
			return nil
		}
		select {
		case <-j.cancel:
			return &types.RequestCanceled{}
		case <-time.After(left):
			return nil
		case <-tick.C:
			j.progress(int32(100 * time.Since(start) / delay))
		}
	}
}

// context is done when the job is cancelled.
func (j *job) context() (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		select {
		case <-j.cancel:
			stop()
		case <-ctx.Done():
		}
	}()
	return ctx, stop
}

// taskObject answers CancelTask as vCenter does: what can't be cancelled says so instead of ending twice.
type taskObject struct {
	*simulator.Task
	center *center
}

func (t *taskObject) CancelTask(ctx *simulator.Context, req *types.CancelTask) soap.HasFault {
	body := new(methods.CancelTaskBody)
	j := t.center.jobs.find(t.Self)
	switch {
	case t.Info.State == types.TaskInfoStateSuccess || t.Info.State == types.TaskInfoStateError:
		body.Fault_ = simulator.Fault("the task has ended", &types.InvalidState{})
	case j == nil || j.cancel == nil:
		body.Fault_ = simulator.Fault("the task can't be cancelled", &types.NotSupported{})
	default:
		j.once.Do(func() { close(j.cancel) })
		body.Res = new(types.CancelTaskResponse)
	}
	return body
}

// localized gives a fault words, as vCenter does; the simulator itself sends Go type names.
func localized(fault types.BaseMethodFault) types.LocalizedMethodFault {
	return types.LocalizedMethodFault{Fault: fault, LocalizedMessage: words(fault)}
}

func words(fault types.BaseMethodFault) string {
	switch f := fault.(type) {
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.NoDiskSpace:
		return fmt.Sprintf("There is not enough space on the datastore %q.", f.Datastore)
	case *types.FileNotFound:
		return fmt.Sprintf("File %s was not found.", f.File)
	case *types.FileAlreadyExists:
		return fmt.Sprintf("The file %s already exists.", f.File)
	case *types.FileLocked:
		return fmt.Sprintf("Unable to access file %s since it is locked.", f.File)
	case *types.InvalidDatastorePath:
		return fmt.Sprintf("Invalid datastore path %q.", f.DatastorePath)
	case *types.GenericVmConfigFault:
		return f.Reason
	default:
		return fmt.Sprintf("%T", fault)[len("*types."):]
	}
}
