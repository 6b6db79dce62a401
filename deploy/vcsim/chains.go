package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// A child disk holds what was written since it was made; the rest is read from its parent. Its descriptor names the
// parent, as a real one does, and its data is "x-delta.vmdk". A parent must not change or go while it has children:
// what is enforced of that differs between real endpoints, and so it does here (-keep-parents).

const deepest = 32 // disks of a chain

var parentHint = regexp.MustCompile(`(?m)^parentFileNameHint="([^"\n]+)"$`)

const childDescriptor = `# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=fffffffe
createType="vmfsSparse"
parentFileNameHint="%s"

# Extent description
RW %d VMFSSPARSE "%s"

# The Disk Data Base
#DDB
ddb.thinProvisioned = "1"
`

func deltaName(file string) string { return strings.TrimSuffix(file, ".vmdk") + "-delta.vmdk" }

// parentName is the datastore path of a disk's parent; empty: it has none.
func parentName(file string) string {
	text, err := os.ReadFile(file)
	if err != nil || int64(len(text)) > mib {
		return ""
	}
	if found := parentHint.FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// parents are the disks that a disk needs, nearest first, as paths on this machine; missing ones too.
func (c *center) parents(file string) []string {
	chain := []string{}
	for name := parentName(file); name != "" && len(chain) < deepest; name = parentName(file) {
		_, found, fault := c.resolve(name)
		if fault != nil {
			break
		}
		chain, file = append(chain, found), found
	}
	return chain
}

func noParent() types.BaseMethodFault {
	return &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{
		Property: "virtualDeviceSpec.device.backing.parent.fileName",
	}}
}

// makeChild makes an empty child. As a real one it takes no room before something is written.
func (c *center) makeChild(name, parent string) types.BaseMethodFault {
	s, file, fault := c.resolve(name)
	if fault != nil {
		return fault
	}
	_, base, fault := c.resolve(parent)
	if fault != nil {
		return fault
	}
	size, err := capacity(base)
	if err != nil {
		return noParent()
	}
	if user := c.machines.uses(base, false); user != "" { // a disk that is written to can't be a parent
		return &types.FileLocked{FileFault: types.FileFault{File: parent}}
	}
	return c.grow(s, mib, func() types.BaseMethodFault {
		text := fmt.Sprintf(childDescriptor, parent, size/vmdk.SectorSize, filepath.Base(deltaName(file)))
		if _, err := os.Stat(file); err == nil {
			return fileFault(name, os.ErrExist)
		}
		if fault := reserve(deltaName(file), size, name); fault != nil {
			return fault
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fileFault(name, err)
		}
		return c.protectParent(base, parent)
	})
}

// protectParent writes into a parent's descriptor that it can't be deleted, as vCenter does for linked clones. It stays
// so after its last child has gone.
func (c *center) protectParent(file, name string) types.BaseMethodFault {
	text, err := os.ReadFile(file)
	if err != nil {
		return fileFault(name, err)
	}
	if !c.keepParents || undeletable(file) {
		return nil
	}
	if err := writeAtomically(file, append(text, "ddb.deletable = \"false\"\n"...)); err != nil {
		return fileFault(name, err)
	}
	return nil
}

func undeletable(file string) bool {
	descriptor, err := readDescriptor(file)
	return err == nil && descriptor.DDB["deletable"] == "false"
}

// chained tells a machine's own disks from their parents, and completes what a client may leave out: a disk that is
// there already names its parent itself.
func (c *center) chained(disk *types.VirtualDisk, item *types.VirtualDeviceConfigSpec) types.BaseMethodFault {
	backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok || backing.FileName == "" || item.Operation != types.VirtualDeviceConfigSpecOperationAdd {
		return nil
	}
	if item.FileOperation == types.VirtualDeviceConfigSpecFileOperationCreate && backing.Parent != nil {
		if fault := c.makeChild(backing.FileName, backing.Parent.FileName); fault != nil {
			return fault
		}
		item.FileOperation = "" // it is there now
		backing.ThinProvisioned = types.NewBool(true)
	}
	if _, file, fault := c.resolve(backing.FileName); fault == nil {
		backing.Parent = c.backing(file)
	}
	return nil
}

// backing describes the parents of a disk as a machine's configuration does; nil: it has none.
func (c *center) backing(file string) *types.VirtualDiskFlatVer2BackingInfo {
	chain := c.parents(file)
	var found *types.VirtualDiskFlatVer2BackingInfo
	for i := len(chain) - 1; i >= 0; i-- {
		if _, err := os.Stat(chain[i]); err != nil {
			return nil // the simulator makes no machine with such a disk; it can't be switched on
		}
		found = &types.VirtualDiskFlatVer2BackingInfo{
			VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: c.datastorePath(chain[i])},
			DiskMode:                     "persistent",
			ThinProvisioned:              types.NewBool(true),
			Parent:                       found,
		}
	}
	return found
}
