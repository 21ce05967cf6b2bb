package deploy_test

import (
	"context"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// instruction is one line of a Dockerfile, continuations joined.
type instruction struct {
	name, rest string
}

// dockerfile reads the instructions of a Dockerfile without heredocs.
func dockerfile(t *testing.T) []instruction {
	t.Helper()
	content, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var read []instruction
	for _, line := range strings.Split(strings.ReplaceAll(string(content), "\\\n", " "), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, rest, _ := strings.Cut(line, " ")
		read = append(read, instruction{strings.ToUpper(name), strings.TrimSpace(rest)})
	}
	return read
}

// stages splits at FROM.
func stages(t *testing.T) [][]instruction {
	t.Helper()
	var split [][]instruction
	for _, i := range dockerfile(t) {
		if i.name == "FROM" {
			split = append(split, nil)
		}
		if len(split) == 0 {
			t.Fatalf("%s stands before FROM", i.name)
		}
		split[len(split)-1] = append(split[len(split)-1], i)
	}
	return split
}

func values(stage []instruction, name string) []string {
	var found []string
	for _, i := range stage {
		if i.name == name {
			found = append(found, i.rest)
		}
	}
	return found
}

func TestImage(t *testing.T) {
	split := stages(t)
	if len(split) != 2 {
		t.Fatalf("%d stages, want 2", len(split))
	}
	build, image := split[0], split[1]
	goMod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := strings.TrimPrefix(strings.SplitN(values(build, "FROM")[0], "-", 2)[0], "golang:")
	if !strings.Contains(string(goMod), "\ngo "+version+".") {
		t.Errorf("the image builds with Go %s, go.mod asks for another", version)
	}
	for name, want := range map[string][]string{
		"FROM":       {"scratch"},
		"USER":       {"65532:65532"},
		"ENTRYPOINT": {`["/postern"]`},
		"RUN":        nil,
		"COPY": {
			"--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt",
			"--from=build --chmod=0555 /src/bin/postern /postern",
		},
	} {
		if got := values(image, name); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestImageBuild runs the build stage's own commands on a copy of the source,
// then lets the binary check the configuration that the manifest ships.
func TestImageBuild(t *testing.T) {
	build := stages(t)[0]
	source := t.TempDir()
	copySource(t, source)
	environment := append(os.Environ(), values(build, "ENV")...)
	commands := values(build, "RUN")
	if len(commands) == 0 {
		t.Fatal("the build stage runs nothing")
	}
	for _, command := range commands {
		run(t, source, environment, "/bin/sh", "-c", withoutMounts(command))
	}
	binary := filepath.Join(source, "bin", "postern")
	checkStatic(t, binary)
	checkConfiguration(t, binary)
}

// withoutMounts drops BuildKit's flags of a RUN.
func withoutMounts(command string) string {
	words := strings.Fields(command)
	for len(words) > 0 && strings.HasPrefix(words[0], "--mount=") {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

const buildTimeout = 10 * time.Minute

func run(t *testing.T, folder string, environment []string, name string, arguments ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	command.Dir, command.Env = folder, environment
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
}

// copySource copies what COPY . . would, less what Dockerfile.dockerignore names.
func copySource(t *testing.T, to string) {
	t.Helper()
	ignored := []string{".git", ".ci", ".postern", "node_modules", "bin"}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && slices.Contains(ignored, entry.Name()) {
			return fs.SkipDir
		}
		relative, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkStatic: an image from scratch has no loader and no libraries.
func checkStatic(t *testing.T, binary string) {
	t.Helper()
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			t.Error("the binary asks for a loader")
		}
	}
	if libraries, err := file.ImportedLibraries(); err != nil || len(libraries) != 0 {
		t.Errorf("the binary needs %v, %v", libraries, err)
	}
	symbols, err := exec.Command("go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range []string{"k8s.io/", "sigs.k8s.io/"} {
		if strings.Contains(string(symbols), module) {
			t.Errorf("the binary carries %s, which only tests need", module)
		}
	}
}

func checkConfiguration(t *testing.T, binary string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range load(t).config.Data {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, folder, os.Environ(), binary, "check", "--without-files", "-c", "postern.yaml")
}
