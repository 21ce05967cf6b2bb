package mcp

import (
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestCheckContent(t *testing.T) {
	table := []struct {
		h      http.Header
		reason string
	}{
		{headers("Content-Type", "application/json"), ""},
		{headers("Content-Type", "Application/JSON; charset=UTF-8"), ""},
		{headers("Content-Type", `application/json; charset="utf-8"`), ""},
		{headers("Content-Type", "application/json", "Content-Encoding", "identity"), ""},
		{headers(), "content_type"},
		{headers("Content-Type", ""), "content_type"},
		{headers("Content-Type", "text/plain"), "content_type"},
		{headers("Content-Type", "application/json-rpc"), "content_type"},
		{headers("Content-Type", "application/json, text/plain"), "content_type"},
		{headers("Content-Type", "application/json", "Content-Type", "application/json"), "content_type"},
		{headers("Content-Type", "application/json; charset=utf-16"), "content_type"},
		{headers("Content-Type", "application/json; charset=utf-8; charset=utf-16"), "content_type"},
		{headers("Content-Type", "application/json; profile=x"), "content_type"},
		{headers("Content-Type", "application/json", "Content-Encoding", "gzip"), "content_encoding"},
		{headers("Content-Type", "application/json", "Content-Encoding", ""), "content_encoding"},
		{headers("Content-Type", "application/json", "Content-Encoding", "identity, gzip"), "content_encoding"},
		{headers("Content-Type", "application/json", "Content-Encoding", "identity", "Content-Encoding", "identity"), "content_encoding"},
	}
	for _, row := range table {
		if got := reason(CheckContent(row.h)); got != row.reason {
			t.Errorf("%v: got %q, want %q", row.h, got, row.reason)
		}
	}
}

// Bodies for the mirror tables.
const (
	modernCall   = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"NAME","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	modernList   = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`
	futureList   = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"DRAFT-9"}}}`
	legacyCall   = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}`
	legacyRead   = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"db://ä","name":"other"}}`
	taskGet      = `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t1"}}`
	notification = `{"jsonrpc":"2.0","method":"notifications/cancelled"}`
	response     = `{"jsonrpc":"2.0","id":1,"result":{}}`
)

func named(name string) string { return strings.Replace(modernCall, "NAME", name, 1) }

func sentinel(text string) string {
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
}

func TestCheckMirrors(t *testing.T) {
	const v, method, name = "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"
	modern := func(name string) http.Header {
		return headers(v, "2026-07-28", method, "tools/call", "Mcp-Name", name)
	}
	table := map[string]struct {
		h      http.Header
		body   string
		reason string
	}{
		"all agree":              {modern("add"), named("add"), ""},
		"list needs no name":     {headers(v, "2026-07-28", method, "tools/list"), modernList, ""},
		"encoded":                {modern(sentinel("größe")), named("größe"), ""},
		"encoded without need":   {modern(sentinel("add")), named("add"), ""},
		"spaces":                 {modern(sentinel(" a ")), named(" a "), ""},
		"looks encoded":          {modern(sentinel("=?base64?YQ==?=")), named("=?base64?YQ==?="), ""},
		"looks encoded, literal": {modern("=?base64?YQ==?="), named("=?base64?YQ==?="), "header_mismatch"},
		"short of a sentinel":    {modern("=?base64?="), named("=?base64?="), ""},

		"wrong name":         {modern("sub"), named("add"), "header_mismatch"},
		"case":               {modern("Add"), named("add"), "header_mismatch"},
		"joined names":       {modern("add, add"), named("add"), "header_mismatch"},
		"upper-case marker":  {modern("=?BASE64?YWRk?="), named("add"), "header_mismatch"},
		"no padding":         {modern("=?base64?YQ?="), named("a"), "header_invalid"},
		"loose bits":         {modern("=?base64?YR==?="), named("a"), "header_invalid"},
		"url alphabet":       {modern("=?base64?Pz8_?="), named("???"), "header_invalid"},
		"not UTF-8":          {modern("=?base64?/w==?="), named("a"), "header_invalid"},
		"nothing encoded":    {modern("=?base64??="), named("a"), "header_mismatch"},
		"raw umlaut":         {modern("größe"), named("größe"), "header_invalid"},
		"control":            {modern("a\x01"), named("a"), "header_invalid"},
		"empty name":         {modern(""), named("a"), "header_mismatch"},
		"wrong method":       {headers(v, "2026-07-28", method, "tools/list", name, "add"), named("add"), "header_mismatch"},
		"method case":        {headers(v, "2026-07-28", method, "Tools/Call", name, "add"), named("add"), "header_mismatch"},
		"method encoded":     {headers(v, "2026-07-28", method, sentinel("tools/call"), name, "add"), named("add"), "header_mismatch"},
		"wrong version":      {headers(v, "2025-11-25", method, "tools/call", name, "add"), named("add"), "header_mismatch"},
		"only in the header": {headers(v, "2026-07-28", method, "tools/call", name, "add"), legacyCall, "params_version"},
		"name of nothing":    {headers(v, "2026-07-28", method, "tools/list", name, "add"), modernList, "header_mismatch"},

		"no version":   {headers(method, "tools/call", name, "add"), named("add"), "header_missing"},
		"no method":    {headers(v, "2026-07-28", name, "add"), named("add"), "header_missing"},
		"no name":      {headers(v, "2026-07-28", method, "tools/call"), named("add"), "header_missing"},
		"nothing":      {headers(), named("add"), "header_missing"},
		"two versions": {headers(v, "2026-07-28", v, "2026-07-28"), modernList, "header_repeated"},
		"two methods":  {headers(v, "2026-07-28", method, "tools/list", method, "tools/list"), modernList, "header_repeated"},
		"two names":    {headers(v, "2026-07-28", method, "tools/call", name, "add", name, "add"), named("add"), "header_repeated"},

		"legacy bare":              {headers(), legacyCall, ""},
		"legacy version":           {headers(v, "2025-11-25"), legacyCall, ""},
		"legacy agreeing":          {headers(v, "2025-06-18", method, "tools/call", name, "add"), legacyCall, ""},
		"legacy method differs":    {headers(v, "2025-06-18", method, "tools/list"), legacyCall, "header_mismatch"},
		"legacy name differs":      {headers(name, "sub"), legacyCall, "header_mismatch"},
		"legacy two versions":      {headers(v, "2025-06-18", v, "2025-11-25"), legacyCall, "header_repeated"},
		"legacy joined versions":   {headers(v, "2025-06-18, 2026-07-28"), legacyCall, "header_repeated"},
		"legacy empty version":     {headers(v, ""), legacyCall, "header_mismatch"},
		"read is named by its uri": {headers(name, sentinel("db://ä")), legacyRead, ""},
		"not by its name":          {headers(name, "other"), legacyRead, "header_mismatch"},
		"task":                     {headers(name, "t1"), taskGet, ""},
		"other task":               {headers(name, "t2"), taskGet, "header_mismatch"},

		"future":                {headers(v, "DRAFT-9", method, "tools/list"), futureList, ""},
		"future without method": {headers(v, "DRAFT-9"), futureList, "header_missing"},
		"future only in header": {headers(v, "9999-01-01", method, "tools/call", name, "add"), legacyCall, "params_version"},
		"notification":          {headers(v, "2026-07-28"), notification, ""},
		"notification method":   {headers(v, "2026-07-28", method, "x"), notification, "header_mismatch"},
		"legacy response":       {headers(v, "2025-11-25"), response, ""},
		"modern response":       {headers(v, "2026-07-28"), response, "message_kind"},
		"response with method":  {headers(method, "tools/call"), response, "header_mismatch"},
	}
	for name, row := range table {
		t.Run(name, func(t *testing.T) {
			m, err := Parse([]byte(row.body), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got := reason(CheckMirrors(row.h, m)); got != row.reason {
				t.Errorf("got %q, want %q", got, row.reason)
			}
		})
	}
}

func TestMirrorHeaders(t *testing.T) {
	table := map[string]struct {
		body string
		want map[string]string
	}{
		"call":     {named("add"), map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "add"}},
		"list":     {modernList, map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}},
		"legacy":   {legacyCall, map[string]string{"Mcp-Method": "tools/call", "Mcp-Name": "add"}},
		"encoded":  {legacyRead, map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": sentinel("db://ä")}},
		"any case": {named("=?BASE64?YQ==?="), map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": sentinel("=?BASE64?YQ==?=")}},
		"padded":   {named(" x"), map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": sentinel(" x")}},
		"injected": {named(`x\r\nEvil: 1`), map[string]string{"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": sentinel("x\r\nEvil: 1")}},
		"response": {response, map[string]string{}},
	}
	for name, row := range table {
		m, err := Parse([]byte(row.body), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got := MirrorHeaders(m)
		if !maps.Equal(got, row.want) {
			t.Errorf("%s: got %v, want %v", name, got, row.want)
		}
		h := http.Header{}
		for k, v := range got {
			h.Set(k, v)
		}
		if err := CheckMirrors(h, m); err != nil {
			t.Errorf("%s: our own headers are refused: %v", name, err)
		}
	}
}
