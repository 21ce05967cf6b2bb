package credential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/dpop"
	"github.com/postern-mcp/postern/authserver/jose"
	"github.com/postern-mcp/postern/proxy/discovery"
)

const (
	askTimeout    = 10 * time.Second // for one token, discovery and second tries included
	answerLimit   = 64 << 10         // bytes of one token response
	metadataFresh = time.Hour
	metadataAgain = time.Minute // between attempts to renew it
)

// Binding says whether the proxy's tokens are bound to its key (RFC 9449).
type Binding string

const (
	Bound   Binding = "required" // a proof with every request; a bearer token is an error
	Offered Binding = "auto"     // a proof where the issuer's metadata or its answer names DPoP
	Unbound Binding = "off"      // never a proof
)

// Issuer is whom tokens are asked of.
type Issuer struct {
	URL           string // issuer identifier
	TokenEndpoint string // "" finds it by discovery
	Client        Client
	Binding       Binding
}

// endpoint is the token endpoint of an issuer, asked as one client. It rests
// after failures, so that an issuer that is away is not stormed.
type endpoint struct {
	conf   Issuer
	kit    Kit
	http   *http.Client
	key    jose.PrivateKey // of proofs, at the issuer and at the upstream
	rest   rest
	found  atomic.Pointer[found]
	nonce  nonce
	wanted atomic.Bool // the issuer answered that it wants proofs
}

// found is where discovery led.
type found struct {
	url    string
	target dpop.Target
	proofs bool // the issuer names DPoP
	at     time.Time
}

func newEndpoint(kit Kit, conf Issuer) (*endpoint, error) {
	if err := kit.complete(); err != nil {
		return nil, err
	}
	if conf.Client == nil || conf.URL == "" && conf.TokenEndpoint == "" {
		return nil, errors.New("credential: Issuer needs a Client, and a URL or a TokenEndpoint")
	}
	if !slices.Contains([]Binding{Bound, Offered, Unbound}, conf.Binding) {
		return nil, fmt.Errorf("credential: Binding %q", conf.Binding)
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, err
	}
	e := &endpoint{conf: conf, kit: kit, http: discovery.NewHTTPClient(), key: key}
	if conf.TokenEndpoint == "" {
		return e, nil
	}
	place, err := newFound(conf.TokenEndpoint, false, time.Time{})
	e.found.Store(place)
	return e, err
}

func newFound(endpoint string, proofs bool, at time.Time) (*found, error) {
	if err := discovery.Trusted(endpoint); err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	target, err := dpop.ParseTarget(endpoint)
	if err != nil {
		return nil, fmt.Errorf("token endpoint: %w", err)
	}
	return &found{url: endpoint, target: target, proofs: proofs, at: at}, nil
}

// place finds the token endpoint. A known one serves on when the issuer's
// metadata cannot be had.
func (e *endpoint) place(ctx context.Context) (*found, error) {
	known, now := e.found.Load(), e.kit.Now()
	if e.conf.TokenEndpoint != "" || known != nil && now.Sub(known.at) < metadataFresh {
		return known, nil
	}
	brief, cancel := context.WithTimeout(ctx, askTimeout/2)
	defer cancel()
	m, err := discovery.Find(brief, e.http, e.conf.URL)
	if err != nil && known != nil {
		later := *known
		later.at = now.Add(metadataAgain - metadataFresh)
		e.found.Store(&later)
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	place, err := newFound(m.TokenEndpoint, slices.Contains(m.ProofAlgorithms, string(jose.ES256)), now)
	if err != nil {
		return nil, err
	}
	e.found.Store(place)
	return place, nil
}

// said is an error response of the issuer (RFC 6749 §5.2).
type said struct {
	status      int
	code        string
	description string // for the log only
}

func (s *said) Error() string {
	return fmt.Sprintf("the issuer answers %d %s %.200q", s.status, s.code, s.description)
}

// ask makes one token request with the parameters of form. After failures
// that are the issuer's or the proxy's own it fails at once for a while.
func (e *endpoint) ask(ctx context.Context, form url.Values) (*issued, error) {
	if err := e.rest.enter(e.kit.Now()); err != nil {
		return nil, err
	}
	got, err := e.askNow(ctx, form)
	log, outcome := e.kit.Log.With("server", e.kit.Server, "error", err), "issued"
	switch {
	case err == nil:
		e.rest.leave()
	case form.Has("subject_token") && isRefusal(err):
		e.rest.leave()
		outcome = "refused"
		log.Info("no upstream token for a caller")
	case form.Has("subject_token") && errors.Is(err, errUnusable): // one caller's answer must not make the others wait
		e.rest.leave()
		outcome = "failed"
		log.Warn("no upstream token for a caller")
	default:
		e.rest.fail(e.kit.Now())
		outcome = "failed"
		log.Warn("no upstream token")
	}
	e.kit.Metrics.tokens.WithLabelValues(e.kit.Server, outcome).Inc()
	return got, err
}

// isRefusal: the issuer gives nothing for this subject token. That is what a
// code means that says nothing of the proxy or the issuer itself: issuers have
// codes of their own, and one caller's must not make the others wait.
func isRefusal(err error) bool {
	var s *said
	if !errors.As(err, &s) {
		return false
	}
	switch s.code {
	// RFC 6749 §5.2, RFC 9449 §5 and §8, RFC 6749 §4.1.2.1
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_dpop_proof", "use_dpop_nonce",
		"server_error", "temporarily_unavailable", "slow_down":
		return false
	}
	return true
}

// askNow makes up to three requests: one may tell that a proof is wanted, one
// that it needs a nonce.
func (e *endpoint) askNow(ctx context.Context, form url.Values) (*issued, error) {
	place, err := e.place(ctx)
	if err != nil {
		return nil, err
	}
	proved := e.proves(place)
	for try := 1; ; try++ {
		got, err := e.post(ctx, place, form, proved)
		var s *said
		if !errors.As(err, &s) || try == 3 {
			return got, err
		}
		switch {
		case proved && s.code == "use_dpop_nonce": // RFC 9449 §8: it came with the answer
		case !proved && s.wantsProof() && e.conf.Binding == Offered:
			e.wanted.Store(true)
			proved = true
		default:
			return nil, err
		}
	}
}

func (s *said) wantsProof() bool {
	return s.code == "invalid_dpop_proof" || s.code == "use_dpop_nonce"
}

func (e *endpoint) proves(place *found) bool {
	return e.conf.Binding == Bound || e.conf.Binding == Offered && (place.proofs || e.wanted.Load())
}

// post makes one request and reads one answer.
func (e *endpoint) post(ctx context.Context, place *found, form url.Values, proved bool) (*issued, error) {
	form, now := maps.Clone(form), e.kit.Now()
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if err := e.conf.Client.prove(now, form, header); err != nil {
		return nil, err
	}
	if proved {
		proof, err := dpop.Make(e.key, now, http.MethodPost, place.target, "", e.nonce.last())
		if err != nil {
			return nil, err
		}
		header.Set("DPoP", proof)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, place.url, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := e.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	e.nonce.take(resp.Header)
	body, err := readAnswer(resp)
	if err != nil {
		return nil, err
	}
	got, err := parseAnswer(body, now, proved, form.Get("subject_token"))
	if err == nil && e.conf.Binding == Bound && !got.bound {
		return nil, fmt.Errorf("%w: a bearer token, but the configuration says dpop: required", errUnusable)
	}
	return got, err
}

// readAnswer gives the body of a success, and *said for what the issuer refuses.
func readAnswer(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err != nil {
		return nil, err
	}
	if len(body) > answerLimit {
		return nil, fmt.Errorf("%w: larger than %d bytes", errUnusable, answerLimit)
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && (err != nil || kind != "application/json") {
		return nil, fmt.Errorf("%w: of type %.80q", errUnusable, resp.Header.Get("Content-Type"))
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return body, nil
	case resp.StatusCode/100 != 4 || resp.StatusCode == http.StatusTooManyRequests:
		return nil, fmt.Errorf("the token endpoint answers %s", resp.Status)
	}
	var refusal struct {
		Code        jose.Text `json:"error"`
		Description jose.Text `json:"error_description"`
	}
	if err := json.Unmarshal(body, &refusal); err != nil || !plain(string(refusal.Code)) {
		return nil, fmt.Errorf("the token endpoint answers %s without an error code", resp.Status)
	}
	return nil, &said{resp.StatusCode, string(refusal.Code), string(refusal.Description)}
}

// plain is what codes look like that are worth a line in a log.
func plain(code string) bool {
	return code != "" && len(code) <= 64 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func (e *endpoint) name() string {
	if e.conf.URL != "" {
		return e.conf.URL
	}
	return e.conf.TokenEndpoint
}
