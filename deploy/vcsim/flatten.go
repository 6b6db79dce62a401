package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// Who copies or exports a child gets a disk without parents. What the lab's children hold are layers of a file system: to
// make one disk of them takes mounts and a new file system, which is the work of a program of the lab, vclab.lab.flatten.

// content is where the bytes of a disk are.
type content struct {
	children []string // data of those that were written, nearest first
	base     string   // the last disk, by its descriptor
}

// contentOf refuses a disk that lacks a parent, or that a machine writes to.
func (c *center) contentOf(file string) (content, types.BaseMethodFault) {
	chain := append([]string{file}, c.layers(file)...)
	for _, each := range chain {
		name := types.FileFault{File: c.datastorePath(each)}
		if _, err := os.Stat(each); err != nil {
			return content{}, &types.FileNotFound{FileFault: name}
		}
		if c.machines.uses(each, false) != "" {
			return content{}, &types.FileLocked{FileFault: name}
		}
	}
	last := len(chain) - 1
	found := content{base: chain[last]}
	for _, each := range chain[:last] {
		if info, err := os.Stat(deltaName(each)); err == nil && allocated(info) > 0 {
			found.children = append(found.children, deltaName(each))
		}
	}
	if len(found.children) > 0 && c.python == "" {
		return content{}, &types.NotSupported{}
	}
	return found, nil
}

// size is what a disk with this content takes at most.
func (from content) size() int64 {
	size := diskSize(from.base)
	for _, child := range from.children {
		if info, err := os.Stat(child); err == nil {
			size += allocated(info)
		}
	}
	return size
}

const releaseTime = 15 * time.Second

// awaitRelease waits until nobody writes to the data: a machine that is switched off ends a moment later.
func (from content) awaitRelease(ctx context.Context, name string) types.BaseMethodFault {
	until := time.Now().Add(releaseTime)
	for _, data := range append([]string{flatName(from.base)}, from.children...) {
		for isWritten(data) {
			if ctx.Err() != nil {
				return &types.RequestCanceled{}
			}
			if time.Now().After(until) {
				return &types.FileLocked{FileFault: types.FileFault{File: name}}
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// isWritten: a loop device that is not read-only has the file.
func isWritten(data string) bool {
	said, err := exec.Command("losetup", "--noheadings", "--output", "RO", "--associated", data).Output()
	return err == nil && bytes.Contains(said, []byte("0"))
}

// flatten makes one raw file of a disk's content. It has its name when it is whole; until then there is nothing.
func (c *center) flatten(ctx context.Context, from content, target string, progress func(percent int32)) error {
	folder, err := os.MkdirTemp("", "flatten") // to mount in
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// The program and all that it starts are killed with it, and it with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	apart := []string{"--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"}
	words := []string{c.python, "-m", "vclab.lab.flatten", target, flatName(from.base)}
	program := exec.CommandContext(ctx, "setpriv", slices.Concat(apart, words, from.children)...)
	program.Dir = folder
	var said bytes.Buffer
	program.Stderr = &said
	out, err := program.StdoutPipe()
	if err != nil {
		return err
	}
	if err := program.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if percent, err := strconv.Atoi(lines.Text()); err == nil {
			progress(int32(percent))
		}
	}
	if err := program.Wait(); err != nil {
		if why := bytes.TrimSpace(said.Bytes()); len(why) > 0 {
			return errors.New(string(why[bytes.LastIndexByte(why, '\n')+1:]))
		}
		return err
	}
	return nil
}

// copyFlattened leaves nothing when it fails, is cancelled or killed.
func (c *center) copyFlattened(j *job, from content, target place) types.BaseMethodFault {
	giveBack, fault := c.promise(target.store, from.size())
	if fault != nil {
		return fault
	}
	defer giveBack()
	c.refreshStores()
	if fault := j.wait(c.faults.delay("CopyVirtualDisk")); fault != nil {
		return fault
	}
	if fault := c.filledUp(target.store); fault != nil {
		return fault
	}
	ctx, stop := j.context()
	defer stop()
	err := c.flatten(ctx, from, flatName(target.file), j.progress)
	if err == nil {
		err = writeThin(target.file, size(from.base))
	}
	if err == nil {
		return nil
	}
	if _, gone := os.Stat(target.file); gone != nil { // it may have been killed when it had just given a name
		_ = os.Remove(flatName(target.file))
	}
	if ctx.Err() != nil {
		return &types.RequestCanceled{}
	}
	return &types.GenericVmConfigFault{Reason: err.Error()}
}

// promise takes room for what has no name while it is made, unless the datastore is full.
func (c *center) promise(s *store, size int64) (giveBack func(), fault types.BaseMethodFault) {
	fault = c.grow(s, size, func() types.BaseMethodFault {
		s.promised.Add(size)
		return nil
	})
	return func() { s.promised.Add(-size) }, fault
}

// writeThin writes the descriptor of a thin disk, whose data is there.
func writeThin(file string, size int64) error {
	descriptor := vmdk.NewDescriptor(vmdk.Extent{Info: filepath.Base(flatName(file)), Size: size / vmdk.SectorSize})
	descriptor.DDB["thinProvisioned"] = "1"
	var text bytes.Buffer
	if err := descriptor.Write(&text); err != nil {
		return err
	}
	return writeAtomically(file, text.Bytes())
}

// readers are the disks that are being read, each with how often: no machine that would write to them is switched on.
type readers struct {
	mutex sync.Mutex
	count map[string]int
}

func newReaders() *readers { return &readers{count: map[string]int{}} }

// add returns what ends the reading.
func (r *readers) add(file string) (end func()) {
	r.change(file, 1)
	return func() { r.change(file, -1) }
}

func (r *readers) change(file string, by int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.count[file] += by; r.count[file] == 0 {
		delete(r.count, file)
	}
}

func (r *readers) has(file string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.count[file] > 0
}
