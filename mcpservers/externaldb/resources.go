package externaldb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

const (
	schemaURI = "db://schema"
	mediaType = "application/json"
)

// jsonText is JSON that is written out as it is.
type jsonText = json.RawMessage

func (d *desk) addResources(s *server.MCPServer) {
	s.AddResource(mcp.NewResource(schemaURI, "schema",
		mcp.WithResourceDescription("The columns of every table and view."),
		mcp.WithMIMEType(mediaType)), d.readSchema)
	s.AddResourceTemplate(mcp.NewResourceTemplate(schemaURI+"/{table}", "table schema",
		mcp.WithTemplateDescription("The columns of one table or view."),
		mcp.WithTemplateMIMEType(mediaType)), d.readTable)
}

func (d *desk) readSchema(ctx context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	return d.contents(ctx, r.Params.URI, nil)
}

func (d *desk) readTable(ctx context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	name, err := url.PathUnescape(strings.TrimPrefix(r.Params.URI, schemaURI+"/"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", server.ErrResourceNotFound, errUnknownTable)
	}
	return d.contents(ctx, r.Params.URI, &name)
}

func (d *desk) contents(ctx context.Context, uri string, table *string) ([]mcp.ResourceContents, error) {
	out, err := d.columns(ctx, table)
	if errors.Is(err, errUnknownTable) {
		return nil, fmt.Errorf("%w: %w", server.ErrResourceNotFound, err)
	}
	if err != nil {
		return nil, errors.New(publicMessage(ctx, err))
	}
	report, err := out.report(false)
	if err != nil {
		return nil, errors.New(publicMessage(ctx, err))
	}
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: uri, MIMEType: mediaType, Text: string(report)}}, nil
}
