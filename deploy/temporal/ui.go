package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
)

// serveUI serves the web UI: the parts of its own server, on a listener of ours, for its own asks nobody who they are.
// Where clients of the server show certificates, the UI's only client is vclab's API, which asks people to sign in.
func serveUI() {
	host, _ := split(*address)
	c := &uiconfig.Config{TemporalGRPCAddress: *address, EnableUI: true, HideLogs: true, PublicPath: *uiPath,
		DisableNewsFetch: true, CORS: uiconfig.CORS{CookieInsecure: *cert == ""}}
	if *cert != "" {
		c.TLS = uiconfig.TLS{CaFile: cmp.Or(*clientCA, *cert), CertFile: cmp.Or(*uiCert, *cert),
			KeyFile: cmp.Or(*uiKey, *key), ServerName: host, EnableHostVerification: true}
	}
	server := &http.Server{Addr: *uiAddress, Handler: pages(c), ReadHeaderTimeout: 10 * time.Second}
	if *cert == "" {
		must(server.ListenAndServe())
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if *clientCA != "" {
		server.TLSConfig.ClientAuth, server.TLSConfig.ClientCAs = tls.RequireAndVerifyClientCert, pool(*clientCA)
		server.TLSConfig.VerifyConnection = onlyAPI
	}
	must(server.ListenAndServeTLS(*cert, *key))
}

func pages(c *uiconfig.Config) http.Handler {
	provider, err := uiconfig.NewConfigProviderWithRefresh(c)
	must(err)
	e, secure := echo.New(), !c.CORS.CookieInsecure
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure(), csrf.EnsureTokenCookie(secure),
		middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, secure)))
	e.Pre(route.PublicPath(c.PublicPath))
	route.SetHealthRoute(e)
	must(route.SetAPIRoutes(e, provider, []api.Middleware{headers.WithForwardHeaders([]string{actsFor, "Caller-Type"})}))
	assets, err := ui.Assets()
	must(err)
	assets, err = fs.Sub(assets, "local")
	must(err)
	must(route.SetUIRoutes(e, c.PublicPath, assets, provider))
	route.SetRenderRoute(e, "/")
	return e
}

func pool(file string) *x509.CertPool {
	content, err := os.ReadFile(file)
	must(err)
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(content) {
		must(fmt.Errorf("there is no certificate in %s", file))
	}
	return authorities
}

// onlyAPI lets nobody else name an operator.
func onlyAPI(state tls.ConnectionState) error {
	if units := state.PeerCertificates[0].Subject.OrganizationalUnit; !slices.Equal(units, []string{roleAPI}) {
		return fmt.Errorf("the UI answers vclab's API only, not the role %q", units)
	}
	return nil
}
