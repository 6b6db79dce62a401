package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// browserObject searches datastores. The simulator's search crashes the whole process without a search specification,
// or when a file is deleted while it looks.
type browserObject struct {
	*simulator.HostDatastoreBrowser
	center *center
}

func (b *browserObject) SearchDatastoreTask(_ *simulator.Context, req *types.SearchDatastore_Task) soap.HasFault {
	ref := b.center.run("HostDatastoreBrowser", "searchDatastore", false, func(j *job) types.BaseMethodFault {
		found, fault := b.center.search(req.DatastorePath, req.SearchSpec, false)
		if fault == nil {
			j.result = found[0]
		}
		return fault
	})
	return &methods.SearchDatastore_TaskBody{Res: &types.SearchDatastore_TaskResponse{Returnval: ref}}
}

func (b *browserObject) SearchDatastoreSubFoldersTask(_ *simulator.Context, req *types.SearchDatastoreSubFolders_Task) soap.HasFault {
	ref := b.center.run("HostDatastoreBrowser", "searchDatastoreSubFolders", false, func(j *job) types.BaseMethodFault {
		found, fault := b.center.search(req.DatastorePath, req.SearchSpec, true)
		j.result = types.ArrayOfHostDatastoreBrowserSearchResults{HostDatastoreBrowserSearchResults: found}
		return fault
	})
	return &methods.SearchDatastoreSubFolders_TaskBody{
		Res: &types.SearchDatastoreSubFolders_TaskResponse{Returnval: ref},
	}
}

func (c *center) search(name string, spec *types.HostDatastoreBrowserSearchSpec, deep bool) ([]types.HostDatastoreBrowserSearchResults, types.BaseMethodFault) {
	s, folder, fault := c.resolve(name)
	if fault != nil {
		return nil, fault
	}
	if spec == nil {
		spec = &types.HostDatastoreBrowserSearchSpec{}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fileFault(name, err)
	}
	result := types.HostDatastoreBrowserSearchResults{Datastore: &s.ref, FolderPath: name}
	results := []types.HostDatastoreBrowserSearchResults{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil { // deleted meanwhile
			continue
		}
		if matches(entry, spec) {
			result.File = append(result.File, fileInfo(filepath.Join(folder, entry.Name()), info, spec.Details))
		}
		if deep && entry.IsDir() {
			below := name + "/" + entry.Name()
			if strings.HasSuffix(name, "]") { // the datastore itself
				below = name + " " + entry.Name()
			}
			if found, fault := c.search(below, spec, true); fault == nil {
				results = append(results, found...)
			}
		}
	}
	return append([]types.HostDatastoreBrowserSearchResults{result}, results...), nil
}

// matches: no pattern and no query match everything.
func matches(entry fs.DirEntry, spec *types.HostDatastoreBrowserSearchSpec) bool {
	named := len(spec.MatchPattern) == 0
	for _, pattern := range spec.MatchPattern {
		ok, _ := path.Match(pattern, entry.Name())
		named = named || ok
	}
	kind := len(spec.Query) == 0
	for _, query := range spec.Query {
		switch query.(type) {
		case *types.FolderFileQuery:
			kind = kind || entry.IsDir()
		case *types.VmDiskFileQuery:
			kind = kind || !entry.IsDir() && path.Ext(entry.Name()) == ".vmdk"
		case *types.VmConfigFileQuery:
			kind = kind || path.Ext(entry.Name()) == ".vmx"
		default:
			kind = true
		}
	}
	return named && kind
}

func fileInfo(file string, info fs.FileInfo, details *types.FileQueryFlags) types.BaseFileInfo {
	if details == nil {
		details = &types.FileQueryFlags{}
	}
	answer := types.FileInfo{Path: info.Name(), FriendlyName: info.Name()}
	if details.FileSize {
		answer.FileSize = info.Size()
	}
	if details.Modification {
		modified := info.ModTime()
		answer.Modification = &modified
	}
	switch {
	case info.IsDir():
		return &types.FolderFileInfo{FileInfo: answer}
	case details.FileType && path.Ext(info.Name()) == ".vmdk":
		size, _ := capacity(file)
		return &types.VmDiskFileInfo{FileInfo: answer, CapacityKb: size / 1024}
	case details.FileType && path.Ext(info.Name()) == ".vmx":
		return &types.VmConfigFileInfo{FileInfo: answer}
	default:
		return &answer
	}
}
