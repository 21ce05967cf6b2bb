package console

import (
	"net/http"

	"github.com/postern-mcp/postern/authserver/admin"
	"github.com/postern-mcp/postern/authserver/pages"
)

func (c *Console) home(w http.ResponseWriter, r *http.Request, a Administrator) error {
	status, err := c.desk.Status(r.Context(), a.Actor, admin.None{})
	if err != nil {
		return err
	}
	var may []string
	for _, words := range admin.ScopeWords {
		if a.has(words.Name) {
			may = append(may, words.Name)
		}
	}
	return a.Frame.AdminHome(w, http.StatusOK, pages.AdminHome{Notices: done(r), Facts: []pages.Fact{
		{Name: "Address", Cell: pages.Cell{Text: status.Issuer}},
		{Name: "Signing key", Cell: pages.Cell{Text: status.Key.ID, Code: true, Path: keysPath, Under: status.Key.Algorithm}},
		{Name: "The next key signs", Cell: pages.Cell{When: pages.WhenOf(status.Key.Until, c.of.Now())}},
		{Name: "You may", Cell: pages.Cell{Chips: may}},
		{Name: "As an API", Cell: pages.Cell{Text: "api/v1/docs", Path: admin.Prefix + "/docs", Under: "Everything that these pages do, for programs."}},
	}})
}
