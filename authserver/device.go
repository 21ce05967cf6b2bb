package authserver

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/postern-mcp/postern/authserver/store"
)

const (
	deviceLife = requestLife // the person's page lives as long
	devicePace = 5 * time.Second

	codeLetters = "BCDFGHJKLMNPQRSTVWXZ" // RFC 8628 §6.1: no vowels, so that no code is a word
	codeLength  = 8                      // 34 bits, for ten minutes and a few tries
	codeTries   = 8
)

type deviceStore interface {
	AddDeviceRequest(ctx context.Context, d store.DeviceRequest) error
	DeviceRequest(ctx context.Context, h store.Hash) (store.DeviceRequest, error)
	DeviceRequestOf(ctx context.Context, userCode store.Hash) (store.DeviceRequest, error)
}

type devicePolls interface {
	PollDevice(ctx context.Context, h store.Hash, now time.Time) error
	RedeemDevice(ctx context.Context, d store.DeviceRequest, first *store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error)
}

// deviceAnswer is RFC 8628 §3.2.
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"`
	Interval   int64  `json:"interval"`
}

// deviceAuthorization: RFC 8628 §3.1. The client proves itself as at the token
// endpoint, and the key of a proof sent here is the only one that gets tokens
// (draft-parecki-oauth-dpop-device-flow).
func (s *Server) deviceAuthorization(w http.ResponseWriter, r *http.Request) error {
	giveBack, err := s.limits.guess.try(s.network(r))
	if err != nil {
		return err
	}
	p, err := readForm(w, r)
	if err != nil {
		return err
	}
	c, err := s.authenticate(r, p)
	if err != nil {
		return err
	}
	giveBack()
	if _, err := s.limits.devices.try(s.network(r)); err != nil {
		return err
	}
	d, err := s.readDeviceRequest(r, p, c)
	if err != nil {
		return err
	}
	if err := s.begun(r.Context(), c); err != nil {
		return err
	}
	a, err := s.beginDevice(r.Context(), d)
	if err != nil {
		return err
	}
	s.audit(r, "device.waits", "client_id", c.ID, "resource", d.Resource, "scope", strings.Join(d.Scope, " "), "bound", d.Thumbprint != "")
	s.nextNonce(w, r)
	return writeJSON(w, http.StatusOK, a)
}

func (s *Server) readDeviceRequest(r *http.Request, p params, c client) (store.DeviceRequest, error) {
	if !c.mayUse(grantDevice) {
		return store.DeviceRequest{}, refuse(GrantNotAllowed)
	}
	certificate, err := s.certificate(r, c)
	if err != nil {
		return store.DeviceRequest{}, err
	}
	key, err := s.proof(r, c, s.devicesAt, certificate)
	if err != nil {
		return store.DeviceRequest{}, err
	}
	res, err := s.resourceFor(p["resource"], c)
	if err != nil {
		return store.DeviceRequest{}, err
	}
	scope, err := res.personal(p["scope"], c)
	if err != nil {
		return store.DeviceRequest{}, err
	}
	details, err := s.readDetails(p, res.URL)
	if err != nil {
		return store.DeviceRequest{}, err
	}
	return store.DeviceRequest{ClientID: c.ID, Resource: res.URL, Scope: scope, Details: details, Thumbprint: key,
		ExpiresAt: s.config.Now().Add(deviceLife), Pace: devicePace}, nil
}

// beginDevice gives the request its codes. A user code that another device
// shows is not shown twice.
func (s *Server) beginDevice(ctx context.Context, d store.DeviceRequest) (deviceAnswer, error) {
	device := newSecret("pdc_")
	d.Hash = hashOf(device)
	for range codeTries {
		code := newUserCode()
		d.UserCode = hashOf(code)
		err := s.store.AddDeviceRequest(ctx, d)
		if errors.Is(err, store.ErrExists) {
			continue
		}
		if err != nil {
			return deviceAnswer{}, err
		}
		return deviceAnswer{DeviceCode: device, UserCode: hyphenated(code), Page: s.site.url(devicePath),
			Complete: s.site.url(devicePath) + "?user_code=" + hyphenated(code), ExpiresIn: int64(deviceLife / time.Second), Interval: int64(devicePace / time.Second)}, nil
	}
	return deviceAnswer{}, refuse(Busy)
}

func newUserCode() string {
	var code []byte
	for len(code) < codeLength {
		// 240 is the highest multiple of 20 in a byte: every letter is as likely.
		if b := randomBytes(1)[0]; b < 240 {
			code = append(code, codeLetters[int(b)%len(codeLetters)])
		}
	}
	return string(code)
}

// hyphenated is a user code as people read it.
func hyphenated(code string) string { return code[:codeLength/2] + "-" + code[codeLength/2:] }

// typed reads a user code as people type it, "" for what cannot be one.
func typed(text string) string {
	code := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(text))
	if len(code) != codeLength || strings.Trim(code, codeLetters) != "" {
		return ""
	}
	return code
}

// redeemDevice: RFC 8628 §3.4. What a device hears is its own answer only, and
// the grant is the person's who gave it.
func (s *Server) redeemDevice(r *http.Request, req tokenRequest) (tokenAnswer, error) {
	d, err := s.findDevice(r.Context(), req)
	if err != nil {
		return tokenAnswer{}, err
	}
	g, err := s.store.Grant(r.Context(), d.GrantID)
	if errors.Is(err, store.ErrNotFound) {
		return tokenAnswer{}, refuse(BadDeviceCode)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	if err := s.sameResource(req, g); err != nil {
		return tokenAnswer{}, err
	}
	claims, err := s.claimsOf(r.Context(), req, g, "")
	if err != nil {
		return tokenAnswer{}, err
	}
	next, refresh := s.firstRefresh(req, g)
	place, err := s.store.RedeemDevice(r.Context(), d, next, record(claims, g.ID), s.config.Now(), s.keepUntil(req.client))
	if errors.Is(err, store.ErrSpent) || errors.Is(err, store.ErrNotFound) {
		return tokenAnswer{}, refuse(BadDeviceCode)
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	a, err := s.issue(r, req, g.Scope, s.keptOf(r.Context(), req, g, "", claims, place), refresh)
	if err != nil {
		return tokenAnswer{}, err
	}
	return s.identify(a, claims, "")
}

// findDevice gives a request that was allowed.
func (s *Server) findDevice(ctx context.Context, req tokenRequest) (store.DeviceRequest, error) {
	if req.params["device_code"] == "" {
		return store.DeviceRequest{}, missing("device_code")
	}
	d, err := s.store.DeviceRequest(ctx, hashOf(req.params["device_code"]))
	if errors.Is(err, store.ErrNotFound) {
		return store.DeviceRequest{}, refuse(BadDeviceCode)
	}
	if err != nil {
		return store.DeviceRequest{}, err
	}
	if d.ClientID != req.client.ID {
		return store.DeviceRequest{}, refuse(BadDeviceCode)
	}
	// draft-parecki-oauth-dpop-device-flow: the key of the first request, and no other.
	if d.Thumbprint != "" && d.Thumbprint != req.key {
		return store.DeviceRequest{}, refuse(WrongKey)
	}
	if d.Denied {
		return store.DeviceRequest{}, refuse(Denied)
	}
	if !s.config.Now().Before(d.ExpiresAt) {
		return store.DeviceRequest{}, refuse(DeviceExpired)
	}
	if d.GrantID == "" {
		return store.DeviceRequest{}, s.stillWaits(ctx, d)
	}
	return d, nil
}

// stillWaits: RFC 8628 §3.5.
func (s *Server) stillWaits(ctx context.Context, d store.DeviceRequest) error {
	err := s.store.PollDevice(ctx, d.Hash, s.config.Now())
	if errors.Is(err, store.ErrTooSoon) {
		return refuse(DeviceTooSoon)
	}
	if err != nil {
		return err
	}
	return refuse(DevicePending)
}

// deviceHash is the device request a pending one belongs to.
func (p pending) deviceHash() (store.Hash, error) {
	var h store.Hash
	raw, err := hex.DecodeString(p.Device)
	if err != nil || len(raw) != len(h) {
		return store.Hash{}, refuse(BadRequestState) // unreachable: it was sealed here
	}
	copy(h[:], raw)
	return h, nil
}
