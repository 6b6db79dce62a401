// vclab-vcsim is the vCenter of the embedded lab: govmomi's simulator plus what a data centre has and a simulator
// lacks. It remembers its machines (journal.go), has hosts and datastores of a given size (inventory.go), copies disks
// in tasks that take time and can be cancelled (disks.go), can be told to fail (faults.go, control.go), and says on
// stdout what a hypervisor would do: which machine to run, on which disk, with which network cards (hooks.go).
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	_ "github.com/vmware/govmomi/pbm/simulator"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

type options struct {
	listen, user, passwordFile, cert, key, journal, hosts, datastores, networks, control, python string
	keepParents                                                                                  bool
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8989", "`ADDRESS:PORT` of the vSphere API")
	flag.StringVar(&o.user, "user", "administrator@vsphere.local", "login `name`")
	flag.StringVar(&o.passwordFile, "password-file", "", "`file` with the login password")
	flag.StringVar(&o.cert, "cert", "", "TLS certificate, PEM `file`")
	flag.StringVar(&o.key, "key", "", "TLS key, PEM `file`")
	flag.StringVar(&o.journal, "journal", "", "`folder` that keeps machines, folders and host states between runs")
	flag.StringVar(&o.hosts, "hosts", "esx1=8:16384,esx2=8:16384", "hosts: `NAME=CPU threads:MiB,...`")
	flag.StringVar(&o.datastores, "datastores", "", "datastores, shared by all hosts: `NAME=/folder:GiB,...`")
	flag.StringVar(&o.networks, "networks", "private,public,imaging", "port `groups` on all hosts")
	flag.StringVar(&o.control, "control", "", "unix `socket` for faults, guest facts and state (HTTP)")
	flag.StringVar(&o.python, "python", "", "`interpreter` with the lab's modules, to merge a child with its parents; as root")
	flag.BoolVar(&o.keepParents, "keep-parents", false, "refuse to delete a disk that has had children, as some do")
	flag.Parse()
	return o
}

func main() {
	log.SetPrefix("vclab-vcsim: ")
	if err := run(parseFlags()); err != nil {
		fmt.Fprintln(os.Stderr, "vclab-vcsim:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if flag.NArg() > 0 || o.passwordFile == "" || o.journal == "" || o.datastores == "" {
		return fmt.Errorf("-password-file, -journal and -datastores are needed, and no other arguments")
	}
	hosts, err := parseHosts(o.hosts)
	if err != nil {
		return err
	}
	stores, err := parseStores(o.datastores)
	if err != nil {
		return err
	}
	password, err := os.ReadFile(o.passwordFile)
	if err != nil {
		return err
	}
	certificate, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	journal, err := openJournal(o.journal)
	if err != nil {
		return err
	}
	if err := portFree(o.listen); err != nil {
		return err
	}
	// The model makes a folder in TMPDIR; in the journal it is found and removed after a kill.
	scratch := filepath.Join(o.journal, "scratch")
	_ = os.RemoveAll(scratch)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", scratch); err != nil {
		return err
	}

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)

	center, err := newCenter(hosts, stores, strings.Split(o.networks, ","), journal)
	if err != nil {
		return err
	}
	center.keepParents, center.python = o.keepParents, o.python
	_, center.port, _ = net.SplitHostPort(o.listen)
	center.restore()
	go center.watchStores()
	center.service.Listen = &url.URL{
		Host: o.listen,
		User: url.UserPassword(o.user, strings.TrimRight(string(password), "\r\n")),
	}
	center.service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	center.service.RegisterEndpoints = true
	if o.control != "" {
		if err := center.serveControl(o.control); err != nil {
			return err
		}
		defer os.Remove(o.control)
	}
	server := center.service.NewServer()
	server.Config.Handler = center.serveTransfers(center.guardFiles(server.Config.Handler))
	log.Printf("serving https://%s/sdk", o.listen)
	<-stop
	// Not Close: it waits for clients that sit in WaitForUpdatesEx. Nothing is lost, every change is in the journal.
	_ = server.Listener.Close()
	center.events.flush()
	return os.RemoveAll(scratch)
}

// portFree makes a taken port one clear line; the simulator would panic. It does not listen: who waits for our port
// must not find it open before the journal is replayed.
func portFree(address string) error {
	ip, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return err
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	if err := syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	name := &syscall.SockaddrInet4{Port: ip.Port}
	copy(name.Addr[:], ip.IP.To4())
	if err := syscall.Bind(socket, name); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}

// newContext is an identity for the simulator's locks, which are re-entrant per context: one for each activity of ours.
func (c *center) newContext() *simulator.Context {
	return &simulator.Context{Context: c.service.Context.Context, Map: c.registry}
}
