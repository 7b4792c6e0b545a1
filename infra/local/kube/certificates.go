package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	lifetime = 10 * 365 * 24 * time.Hour
	// MetricsHost is the name under which the API server verifies the node agent's metrics endpoint.
	metricsHost = "berth-node-metrics.kube-system.svc"
)

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// writeCertificates fills folder with two authorities and what they sign: ca (API server, etcd, metrics) and
// front-proxy-ca (the API server as a client of aggregated APIs), and with the service accounts' key pair.
func writeCertificates(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(folder, "ca")
	if err != nil {
		return err
	}
	frontProxy, err := newAuthority(folder, "front-proxy-ca")
	if err != nil {
		return err
	}
	loopback := []net.IP{net.IPv4(127, 0, 0, 1)}
	server := []string{"localhost", "kubernetes", "kubernetes.default.svc", metricsHost}
	if err := ca.issue(folder, "server", server, loopback); err != nil {
		return err
	}
	if err := ca.issue(folder, "etcd-client", nil, nil); err != nil {
		return err
	}
	if err := frontProxy.issue(folder, "front-proxy-client", nil, nil); err != nil {
		return err
	}
	return writeAccountKeys(folder)
}

func newAuthority(folder, name string) (*authority, error) {
	key, err := newKey(folder, name)
	if err != nil {
		return nil, err
	}
	template := newTemplate(name)
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{certificate, key}, writePEM(folder, name+".crt", "CERTIFICATE", der)
}

func (a *authority) issue(folder, name string, hosts []string, addresses []net.IP) error {
	key, err := newKey(folder, name)
	if err != nil {
		return err
	}
	template := newTemplate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	// etcd's gRPC gateway is a client of its own server, so a server's certificate is a client's too.
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	template.DNSNames = hosts
	template.IPAddresses = addresses
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	return writePEM(folder, name+".crt", "CERTIFICATE", der)
}

func newTemplate(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the system's randomness is gone
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "berth-" + name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
	}
}

func newKey(folder, name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(folder, name+".key", "EC PRIVATE KEY", der)
}

func writeAccountKeys(folder string) error {
	key, err := newKey(folder, "accounts")
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(folder, "accounts.pub", "PUBLIC KEY", der)
}

func writePEM(folder, name, kind string, der []byte) error {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(filepath.Join(folder, name), block, 0o600)
}
