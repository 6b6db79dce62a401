// vclab-temporal is Temporal's own server on one SQLite file, with its web UI, in one process. The embedded lab, the
// benches and the tests run it; it is not meant for production, for which Temporal has its own packages.
//
//	vclab-temporal -address 127.0.0.1:7233 -ui 127.0.0.1:8233 -database temporal.db
//
// It writes "ready ADDRESS" when it answers. Temporal's own command line and every SDK work with it.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	tlog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"gopkg.in/yaml.v3"
)

// settings are dynamic configuration. -set overrides them.
var settings = map[string]any{
	// A query that meets a workflow task is refused, and asked again by the SDK. Else SDKs since 1.32 may answer it while
	// a local activity runs, which leaves a history that can't be replayed.
	"history.MaxBufferedQueryCount": 0,
	// An activity is handed out with the answer to the workflow task: a third off a life.
	"system.enableActivityEagerExecution": true,
	// The queues are polled 20 times a second per shard, and there is one shard: 45 ms per task unless that is raised.
	"history.transferProcessorMaxPollRPS":   2000,
	"history.timerProcessorMaxPollRPS":      2000,
	"history.visibilityProcessorMaxPollRPS": 2000,
	"history.outboundProcessorMaxPollRPS":   2000,
	// Timers would fire up to a second late.
	"history.timerProcessorMaxTimeShift": time.Millisecond,
	// Workflows that wait: so many states are kept in memory.
	"history.hostLevelCacheMaxSize": 500,
	// Tests let a workflow's clock skip what it waits for.
	"frontend.WorkflowTimeSkippingEnabled": true,
	// Each event says who caused it, as the authorizer says: what a client says of itself ("identity") is only a claim.
	"frontend.enablePrincipalPropagation": true,
}

var (
	address   = flag.String("address", "127.0.0.1:7233", "`host:port` of the server")
	uiAddress = flag.String("ui", "", "`host:port` of the web UI; none without it. With -tls-client-ca it lets the API in only")
	uiPath    = flag.String("ui-path", "", "`path` below which people see the web UI, such as /temporal")
	uiCert    = flag.String("ui-cert", "", "certificate `file` (PEM, OU=ui) that the web UI shows to the server")
	uiKey     = flag.String("ui-key", "", "its private key")
	database  = flag.String("database", "", "SQLite `file`, made if it is missing")
	level     = flag.String("log-level", "warn", "debug, info, warn or error")
	cert      = flag.String("tls-cert", "", "certificate `file` (PEM): clients must use TLS")
	key       = flag.String("tls-key", "", "its private key")
	clientCA  = flag.String("tls-client-ca", "", "`file` of the authority (PEM) whose certificates clients must show: "+
		"OU=api|worker|site|ui|operator says what they may, CN who they are")
	jwtKeys    = flag.String("jwt-keys", "", "`URI` of the keys (JWKS) that sign clients' tokens: they must show one")
	namespaces = []string{"default"}
	attributes = map[string]enums.IndexedValueType{}
)

func main() {
	flag.Func("namespace", "another `name`; may be repeated", func(name string) error {
		namespaces = append(namespaces, name)
		return nil
	})
	flag.Func("search-attribute", "`NAME=TYPE` that all namespaces have when they are made; may be repeated", addAttribute)
	flag.Func("set", "`KEY=YAML` or KEY@NAMESPACE=YAML of the dynamic configuration; may be repeated", set)
	flag.Parse()
	if *database == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	server := start()
	if *uiAddress != "" {
		go serveUI()
	}
	fmt.Println("ready", *address)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	must(server.Stop())
}

// addAttribute saves the first workflows from failing until the server sees what a worker has registered.
func addAttribute(text string) error {
	name, kind, _ := strings.Cut(text, "=")
	value, err := enums.IndexedValueTypeFromString(kind)
	attributes[name] = value
	return err
}

func set(text string) error {
	name, written, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("%q is not KEY=YAML", text)
	}
	var value any
	if err := yaml.Unmarshal([]byte(written), &value); err != nil {
		return err
	}
	if name, namespace, found := strings.Cut(name, "@"); found {
		limits := dynamicconfig.Constraints{Namespace: namespace}
		settings[name] = []dynamicconfig.ConstrainedValue{{Constraints: limits, Value: value}}
		return nil
	}
	settings[name] = value
	return nil
}

func start() temporal.Server {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // a twelfth of the server's CPU; its heap is small
	}
	sql := openDatabase()
	c := configuration(sql)
	values := dynamicconfig.StaticClient{}
	for name, value := range maps.All(settings) {
		values[dynamicconfig.MakeKey(name)] = value
	}
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range c.Services {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(
			net.JoinHostPort(service.RPC.BindOnIP, strconv.Itoa(service.RPC.GRPCPort)))
	}
	logger := tlog.NewZapLogger(tlog.BuildZapLogger(tlog.Config{Stdout: true, Level: *level}))
	decides, mapper := access(c, logger)
	server, err := temporal.NewServer(
		temporal.WithConfig(c), temporal.ForServices(services(c)), temporal.WithStaticHosts(hosts),
		temporal.WithLogger(logger), temporal.WithDynamicConfigClient(values), temporal.WithAuthorizer(decides),
		temporal.WithChainedFrontendGrpcInterceptors(stamp), temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return mapper }))
	must(err)
	must(server.Start())
	return server
}

func openDatabase() *config.SQL {
	// Write-ahead log and "normal" make the file as fast as memory, and no less consistent after a power cut.
	options := map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "normal"}
	sql := &config.SQL{PluginName: sqlite.PluginName, DatabaseName: *database, ConnectAttributes: options}
	if _, err := os.Stat(*database); os.IsNotExist(err) {
		must(schema.SetupSchema(sql))
	}
	for _, name := range namespaces {
		namespace, err := schema.NewNamespaceConfig("active", name, false, attributes)
		must(err)
		must(schema.CreateNamespaces(sql, namespace))
	}
	return sql
}

func configuration(sql *config.SQL) *config.Config {
	host, port := split(*address)
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: host}}
	}
	c := &config.Config{
		Persistence: config.Persistence{DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{"sqlite": {SQL: sql}}},
		ClusterMetadata: &cluster.Config{FailoverVersionIncrement: 10,
			MasterClusterName: "active", CurrentClusterName: "active",
			ClusterInformation: map[string]cluster.ClusterInformation{"active": {Enabled: true,
				InitialFailoverVersion: 1, RPCAddress: *address, ClusterID: "7661626c-6162-4000-8000-000000000001"}}},
		Services: map[string]config.Service{"frontend": service(port), "history": service(freePort(host)),
			"matching": service(freePort(host)), "worker": service(freePort(host))},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: *address},
	}
	c.Global.Membership = config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: host}
	c.Archival.History.State, c.Archival.Visibility.State = "disabled", "disabled"
	c.NamespaceDefaults.Archival.History.State = "disabled"
	c.NamespaceDefaults.Archival.Visibility.State = "disabled"
	secure(c, service(freePort(host)))
	return c
}

// secure asks clients for TLS, certificates and tokens. The server's own workers then have an entrance of their own.
func secure(c *config.Config, internal config.Service) {
	if *cert != "" {
		c.Global.TLS.Frontend.Server = config.ServerTLS{CertFile: *cert, KeyFile: *key}
		if *clientCA != "" {
			c.Global.TLS.Frontend.Server.RequireClientAuth = true
			c.Global.TLS.Frontend.Server.ClientCAFiles = []string{*clientCA}
		}
	}
	if *jwtKeys != "" {
		c.Global.Authorization = config.Authorization{Authorizer: "default", ClaimMapper: "default",
			JWTKeyProvider:       config.JWTKeyProvider{KeySourceURIs: []string{*jwtKeys}, RefreshInterval: time.Minute},
			PermissionsClaimName: "permissions"}
	}
	if *cert != "" || *jwtKeys != "" {
		c.Services["internal-frontend"] = internal
		c.PublicClient.HostPort = ""
		c.Global.TLS.Internode = internode()
	}
}

// access says who may do what: by tokens, by certificates, or everybody everything.
func access(c *config.Config, logger tlog.Logger) (authorization.Authorizer, authorization.ClaimMapper) {
	if *clientCA != "" && *jwtKeys == "" {
		return authorizer{}, claimMapper{}
	}
	decides, err := authorization.GetAuthorizerFromConfig(&c.Global.Authorization)
	must(err)
	mapper, err := authorization.GetClaimMapperFromConfig(&c.Global.Authorization, logger)
	must(err)
	return decides, mapper
}

func services(c *config.Config) []string {
	var names []string
	for name := range maps.Keys(c.Services) {
		names = append(names, name)
	}
	return names
}

func split(text string) (string, int) {
	host, port, err := net.SplitHostPort(text)
	must(err)
	number, err := strconv.Atoi(port)
	must(err)
	return host, number
}

func freePort(host string) int {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	must(err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func must(err error) {
	if err != nil {
		log.Fatal("vclab-temporal: ", err)
	}
}
