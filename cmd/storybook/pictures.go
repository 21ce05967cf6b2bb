package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
)

// picture is one story in the documentation.
type picture struct {
	story         string
	width, height int
}

var pictures = []picture{
	{"consent", 640, 760},
	{"account", 1100, 760},
	{"applications-few", 1100, 640},
	{"people-few", 1100, 560},
	{"key-revoke", 1100, 520},
}

// takePictures has Chromium take each of them, into a folder.
func takePictures(ctx context.Context, folder string) error {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		return fmt.Errorf("pictures need a browser, the Debian package chromium: %w", err)
	}
	profile, err := os.MkdirTemp("", "storybook")
	if err != nil {
		return err
	}
	defer os.RemoveAll(profile)
	web := httptest.NewServer(newBook(stories()))
	defer web.Close()
	for _, p := range pictures {
		to, err := filepath.Abs(filepath.Join(folder, p.story+".png"))
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+profile,
			fmt.Sprintf("--window-size=%d,%d", p.width, p.height), "--screenshot="+to, web.URL+"/light/"+p.story)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", p.story, err, out)
		}
		fmt.Println(to)
	}
	return nil
}
