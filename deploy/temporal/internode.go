package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"time"

	"go.temporal.io/server/common/config"
)

const within = "vclab-temporal"

// internode is TLS with certificates on both sides between the server's own services. They listen on ports of their
// own and believe whoever calls: without it, any account of this machine could go round the authorizer. The
// certificate is made at each start, and its key is never written anywhere.
func internode() config.GroupTLS {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	must(err)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: within}, DNSNames: []string{within},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(100, 0, 0),
		BasicConstraintsValid: true, IsCA: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	shown := encoded("CERTIFICATE", certificate)
	return config.GroupTLS{
		Server: config.ServerTLS{CertData: shown, KeyData: encoded("PRIVATE KEY", private),
			RequireClientAuth: true, ClientCAData: []string{shown}},
		Client: config.ClientTLS{ServerName: within, RootCAData: []string{shown}},
	}
}

func encoded(kind string, content []byte) string {
	var text bytes.Buffer
	must(pem.Encode(&text, &pem.Block{Type: kind, Bytes: content}))
	return base64.StdEncoding.EncodeToString(text.Bytes())
}
