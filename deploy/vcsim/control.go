package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// guestReport is the body of POST /guest: what the machine's "VMware Tools" report.
type guestReport struct {
	UUID     string            `json:"uuid"`
	Hostname string            `json:"hostname"`
	Tools    string            `json:"tools"` // guestToolsRunning, guestToolsNotRunning
	Info     map[string]string `json:"info"`  // what it set below "guestinfo."
	IPs      []struct {
		MAC     string `json:"mac"`
		Address string `json:"address"`
	} `json:"ips"`
}

// serveControl listens on a unix socket: never on the vCenter's port, where no real vCenter has such a thing.
func (c *center) serveControl(path string) error {
	_ = os.Remove(path) // left by a kill
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /guest", reply(c.setGuest))
	mux.HandleFunc("POST /power", reply(c.powerOffFromWithin))
	mux.HandleFunc("POST /fault", reply(c.order))
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) {
		c.faults.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"machines": c.machines.list()})
	})
	go func() { log.Printf("control socket: %v", http.Serve(listener, mux)) }()
	return nil
}

// reply decodes a JSON body for act and answers 204, or 400 with the error.
func reply[T any](act func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&body)
		if err == nil {
			err = act(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *center) setGuest(report guestReport) error {
	vm := c.machine(report.UUID)
	if vm == nil {
		return fmt.Errorf("no machine %s", report.UUID)
	}
	ctx := c.newContext()
	c.registry.WithLock(ctx, vm, func() {
		cards := make([]types.GuestNicInfo, len(vm.Guest.Net))
		copy(cards, vm.Guest.Net)
		for i := range cards {
			cards[i].IpAddress = nil
			for _, ip := range report.IPs {
				if strings.EqualFold(ip.MAC, cards[i].MacAddress) {
					cards[i].IpAddress = append(cards[i].IpAddress, ip.Address)
				}
			}
		}
		changes := guestChanges(&vm.VirtualMachine, cards, report.Hostname, report.Tools)
		if len(report.Info) > 0 {
			changes = append(changes, types.PropertyChange{Name: "config.extraConfig", Val: withInfo(vm.Config.ExtraConfig, report.Info)})
		}
		ctx.Update(vm, changes)
	})
	return nil
}

// withInfo are the options with what the guest has set: nothing but keys below "guestinfo." can be.
func withInfo(options []types.BaseOptionValue, info map[string]string) []types.BaseOptionValue {
	found := make([]types.BaseOptionValue, 0, len(options)+len(info))
	for _, option := range options {
		key, below := strings.CutPrefix(option.GetOptionValue().Key, "guestinfo.")
		if _, set := info[key]; !below || !set {
			found = append(found, option)
		}
	}
	for key, value := range info {
		found = append(found, &types.OptionValue{Key: "guestinfo." + key, Value: value})
	}
	return found
}

// powerReport is the body of POST /power: a guest that has shut down, or broken down, by itself.
type powerReport struct {
	UUID  string `json:"uuid"`
	State string `json:"state"` // poweredOff
}

// powerOffFromWithin makes the machine powered off, and says so on stdout as with any other way to that state.
func (c *center) powerOffFromWithin(report powerReport) error {
	vm := c.machine(report.UUID)
	if vm == nil || report.State != string(types.VirtualMachinePowerStatePoweredOff) {
		return fmt.Errorf("no machine %s, or its state is not poweredOff", report.UUID)
	}
	ctx := c.newContext()
	c.registry.WithLock(ctx, vm, func() {
		if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOff {
			return
		}
		ctx.Update(vm, []types.PropertyChange{
			{Name: "runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOff},
			{Name: "summary.runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOff},
		})
	})
	return nil
}

// machine finds one by its instance UUID.
func (c *center) machine(uuid string) *simulator.VirtualMachine {
	c.machines.mutex.Lock()
	defer c.machines.mutex.Unlock()
	for id, k := range c.machines.all {
		if k.facts.UUID == uuid {
			ref := types.ManagedObjectReference{Type: "VirtualMachine", Value: id}
			vm, _ := c.registry.Get(ref).(*simulator.VirtualMachine)
			return vm
		}
	}
	return nil
}
