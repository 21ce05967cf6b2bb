package admin

import (
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// document is the OpenAPI 3.1 description of the table, for an API at base.
func document(base string) object {
	all := schemas{}
	problem := all.of(reflect.TypeFor[Problem]())
	paths := object{}
	for _, o := range table {
		f := o.facts()
		item, ok := paths[f.path].(object)
		if !ok {
			item = object{}
			paths[f.path] = item
		}
		item[strings.ToLower(f.method)] = all.operation(f)
	}
	return object{
		"openapi": "3.1.1",
		"info": object{
			"title": "Postern administration", "version": "1",
			"description": "Everything an administrator of the authorization server can do. " +
				"Access tokens are its own, for this resource, bearer or DPoP; cookies are not read.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": base}},
		"security": []object{},
		"tags":     tags(),
		"paths":    paths,
		"components": object{
			"schemas":         object(all),
			"responses":       object{"Problem": object{"description": "What went wrong (RFC 9457)", "content": object{"application/problem+json": object{"schema": problem}}}},
			"securitySchemes": object{"oauth": oauth(strings.TrimSuffix(base, Prefix))},
		},
	}
}

func oauth(issuer string) object {
	scopes := object{}
	for _, s := range ScopeWords {
		scopes[s.Name] = s.Words
	}
	token := issuer + "/token"
	return object{"type": "oauth2", "flows": object{
		"authorizationCode": object{"authorizationUrl": issuer + "/authorize", "tokenUrl": token, "refreshUrl": token, "scopes": scopes},
		"clientCredentials": object{"tokenUrl": token, "scopes": scopes},
	}}
}

// tag groups operations by the first word of their path, and title is it in words.
func (f facts) tag() string { return f.segments()[0] }

func (f facts) title() string { return strings.ToUpper(f.tag()[:1]) + f.tag()[1:] }

func tags() []object {
	var all []object
	seen := map[string]bool{}
	for _, o := range table {
		if f := o.facts(); !seen[f.tag()] {
			seen[f.tag()] = true
			all = append(all, object{"name": f.tag(), "description": f.title()})
		}
	}
	return all
}

func (s schemas) operation(f facts) object {
	out := object{
		"operationId": f.id, "summary": f.summary, "tags": []string{f.tag()},
		"security":  []object{{"oauth": []string{f.scope}}},
		"responses": s.responses(f),
	}
	if f.detail != "" {
		out["description"] = f.detail
	}
	if list := s.parameters(f.in); len(list) > 0 {
		out["parameters"] = list
	}
	if f.body() {
		out["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.request(f.in)}}}
	}
	return out
}

// request is a body's schema: members it does not name are refused.
func (s schemas) request(t reflect.Type) object {
	ref := s.of(t)
	s[schemaName(t)].(object)["additionalProperties"] = false
	return ref
}

func (s schemas) parameters(t reflect.Type) []object {
	var all []object
	for _, p := range parameters(t) {
		out := object{"name": p.name, "in": p.in, "schema": s.bare(p)}
		if p.in == "path" {
			out["required"] = true
		}
		if doc := p.field.Tag.Get("doc"); doc != "" {
			out["description"] = doc
		}
		all = append(all, out)
	}
	return all
}

// bare is a parameter's schema without its description, which stands beside it.
func (s schemas) bare(p parameter) object {
	out := s.field(p.field)
	delete(out, "description")
	return out
}

func (s schemas) responses(f facts) object {
	good := object{"description": http.StatusText(f.status)}
	if f.status != http.StatusNoContent {
		good["content"] = object{"application/json": object{"schema": s.of(f.out)}}
	}
	if _, tagged := reflect.Zero(f.out).Interface().(interface{ Tag() string }); tagged {
		good["headers"] = object{"ETag": object{"description": "Send it as If-Match to change what this says", "schema": object{"type": "string"}}}
	}
	out := object{strconv.Itoa(f.status): good}
	for _, status := range f.refusals() {
		out[strconv.Itoa(status)] = object{"$ref": "#/components/responses/Problem"}
	}
	return out
}

// refusals are the statuses an operation may fail with.
func (f facts) refusals() []int {
	all := []int{401, 403, 429, 500, 503}
	if len(parameters(f.in)) > 0 {
		all = append(all, 400)
	}
	if strings.Contains(f.path, "{") {
		all = append(all, 404)
	}
	if f.body() {
		all = append(all, 400, 409, 413, 415, 422)
	}
	if hasParameter(f.in, "header", "If-Match") {
		all = append(all, 412)
	}
	return all
}

// serveDocument answers the two things that need no token.
func (a *API) serveDocument(w http.ResponseWriter, r *http.Request, segments []string) (done bool) {
	if len(segments) != 1 || r.Method != get && r.Method != http.MethodHead {
		return false
	}
	h := w.Header()
	switch "/" + segments[0] {
	case documentPath:
		h.Set("Content-Type", "application/json")
		_, _ = w.Write(a.document) // the caller is gone: nobody to tell
	case docsPath:
		maps.Copy(h, pageHeader)
		_, _ = w.Write(a.page)
	default:
		return false
	}
	return true
}

const (
	documentPath = "/openapi.json"
	docsPath     = "/docs"
)
