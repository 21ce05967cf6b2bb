package token

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/postern-mcp/postern/authserver/jose"
)

// maxIndex is the largest number of 18 digits.
const maxIndex = 1e18 - 1

// index is a JSON integer without sign, fraction or exponent, of at most 18 digits.
type index uint64

// UnmarshalJSON takes digits only.
func (i *index) UnmarshalJSON(b []byte) error {
	if len(b) > 18 || strings.Trim(string(b), "0123456789") != "" {
		return errors.New("not an index")
	}
	parsed, err := strconv.ParseUint(string(b), 10, 64)
	*i = index(parsed)
	return err
}

// MarshalJSON writes the digits.
func (i index) MarshalJSON() ([]byte, error) { return strconv.AppendUint(nil, uint64(i), 10), nil }

// wireStatus is the claim as it travels.
type wireStatus struct {
	List *place `json:"status_list"`
}

type place struct {
	Index *index    `json:"idx"`
	URI   jose.Text `json:"uri"`
}

// status reads status.status_list. Mechanisms beside it are passed over; a
// token with none that this project can ask is refused, because its issuer
// says that it can be revoked.
func status(claim jsontext.Value) (Status, error) {
	if claim == nil {
		return Status{}, nil
	}
	// draft-ietf-oauth-status-list §6.1: status is a JSON object
	if claim.Kind() != '{' {
		return Status{}, errors.New("status is not an object")
	}
	var wire wireStatus
	if err := json.Unmarshal(claim, &wire); err != nil {
		return Status{}, err
	}
	if wire.List == nil {
		return Status{}, errors.New("status without status_list")
	}
	// §6.2: idx and uri are required
	if wire.List.Index == nil {
		return Status{}, errors.New("status_list without idx")
	}
	if wire.List.URI == "" {
		return Status{}, errors.New("status_list without uri")
	}
	return Status{URI: string(wire.List.URI), Index: uint64(*wire.List.Index)}, nil
}

// claim is the status claim, nil when the token has no place in a list.
func (s Status) claim() (jsontext.Value, error) {
	if s == (Status{}) {
		return nil, nil
	}
	i := index(s.Index)
	return json.Marshal(wireStatus{List: &place{Index: &i, URI: jose.Text(s.URI)}})
}
