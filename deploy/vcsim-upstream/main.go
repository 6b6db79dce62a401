// Command vcsim-upstream runs govmomi's simulator as it is, with several datacenters, for tests: a look at our driver
// that does not depend on what we have made of the simulator for the lab.
package main

import (
	"crypto/tls"
	"flag"
	"log"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/vmware/govmomi/simulator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8989", "`ADDRESS:PORT` of the vSphere API")
	user := flag.String("user", "administrator@vsphere.local", "login `name`")
	passwordFile := flag.String("password-file", "", "`file` with the login password")
	cert := flag.String("cert", "", "TLS certificate, PEM `file`")
	key := flag.String("key", "", "TLS key, PEM `file`")
	datacenters := flag.Int("datacenters", 2, "`number` of datacenters: DC0, DC1, …")
	flag.Parse()
	password, err := os.ReadFile(*passwordFile)
	if err != nil {
		log.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	model := simulator.VPX()
	model.Datacenter, model.Machine, model.Autostart = *datacenters, 0, false
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	defer model.Remove()
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.Listen = &url.URL{
		Scheme: "https", Host: *listen, Path: "/sdk", User: url.UserPassword(*user, strings.TrimSpace(string(password))),
	}
	server := model.Service.NewServer()
	defer server.Close()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
