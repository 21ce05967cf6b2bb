package status

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/postern-mcp/postern/authserver/jose"
)

// wireClaims is the payload as it travels (§5.1).
type wireClaims struct {
	Subject  jose.Text        `json:"sub,omitzero"`
	IssuedAt jose.NumericDate `json:"iat,omitzero"`
	Expiry   jose.NumericDate `json:"exp,omitzero"`
	TTL      seconds          `json:"ttl,omitzero"`
	List     *wireList        `json:"status_list,omitzero"`
}

// wireList is a list as it travels (§4.2).
type wireList struct {
	Bits   small     `json:"bits,omitzero"`
	Packed jose.Text `json:"lst,omitzero"`
}

// Sign makes the list that is published at uri: good from now for life, and
// worth asking for again after ttl. Times are written in whole seconds.
func Sign(key jose.PrivateKey, list List, uri string, now time.Time, ttl, life time.Duration) (string, error) {
	if list.Size() == 0 {
		return "", errors.New("a status list without places")
	}
	if uri == "" {
		return "", errors.New("a status list needs the address it is published at")
	}
	if ttl < time.Second || life < ttl {
		return "", fmt.Errorf("a status list for %v, good for %v", ttl, life)
	}
	packed, err := pack(list.places)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(wireClaims{
		Subject:  jose.Text(uri),
		IssuedAt: jose.NumericDate{Time: now}, Expiry: jose.NumericDate{Time: now.Add(life)},
		TTL:  seconds(ttl / time.Second),
		List: &wireList{Bits: small(list.bits), Packed: jose.Text(packed)},
	})
	if err != nil {
		return "", err
	}
	return key.Sign(Type, payload)
}

// pack is base64url of zlib (§4.1, RFC 1950).
func pack(places []byte) (string, error) {
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestCompression) // §4.1: recommended
	if err != nil {
		return "", err
	}
	if _, err := z.Write(places); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(packed.Bytes()), nil
}
