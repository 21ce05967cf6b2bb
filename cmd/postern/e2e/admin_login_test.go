package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/unix"
)

var userCode = regexp.MustCompile(`[B-Z]{4}-[B-Z]{4}`)

// signInByDevice is `postern admin login`, with somebody at a browser.
func (o *bureau) signInByDevice(t *testing.T) *process {
	t.Helper()
	p := startWith(t, []string{"XDG_CONFIG_HOME=" + o.home}, binary, "admin", "login", "--url", o.issuer)
	code := ""
	eventually(t, func() error {
		if code = userCode.FindString(p.out.String()); code == "" {
			return fmt.Errorf("no code in\n%s", p.out.String())
		}
		return nil
	})
	w := newWindow(t)
	to := w.submit(t, o.issuer+"/device", url.Values{"user_code": {code}}).expect(t, 303)
	page := w.get(t, o.issuer+to.header.Get("Location"))
	done := w.submit(t, o.issuer+"/login", url.Values{"request": {page.sealed(t)}, "username": {o.user.Username}, "password": {o.user.Password}})
	page = w.get(t, o.issuer+done.expect(t, 303).header.Get("Location"))
	w.submit(t, o.issuer+"/consent", url.Values{"request": {page.sealed(t)}, "decision": {"allow"}}).expect(t, 200)
	return p
}

// startWith is start with more in the environment.
func startWith(t *testing.T, environment []string, name string, args ...string) *process {
	t.Helper()
	for _, e := range environment {
		key, value, _ := strings.Cut(e, "=")
		t.Setenv(key, value)
	}
	return start(t, name, args...)
}

// An administrator works at a running server: with what their roles give, from
// the file of one machine, until the role goes.
func TestAdminAtARunningServer(t *testing.T) {
	o := openBureau(t, "")
	o.fine(t, "role", "give", "registrar", "--user", "ada", "--yes")
	p := o.signInByDevice(t)
	if code := p.exit(t); code != 0 {
		t.Fatalf("exit %d\n%s", code, p.out.String())
	}
	if said := p.out.String(); !strings.Contains(said, "Signed in, with postern:read postern:users.") || !strings.Contains(said, "Your roles do not give postern:clients") {
		t.Error(said)
	}
	files, err := filepath.Glob(filepath.Join(o.home, "postern", "admin-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if out := o.fine(t, "user", "list", "--url", o.issuer); !strings.Contains(out, "ada") {
		t.Error(out)
	}
	o.fine(t, "user", "create", "eve", "--no-password", "--url", o.issuer)
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"client", "delete", "--yes", "https://app.example/client.json"}, "lacks the scope postern:clients"},
		{[]string{"user", "create", "king", "--role", "nothing"}, `There is no role "nothing"`},
	} {
		if code, _, errs := o.run(t, append(row.args, "--url", o.issuer)...); code != 1 || !strings.Contains(errs, row.want) {
			t.Errorf("%v: exit %d %s", row.args, code, errs)
		}
	}
	if err := os.Chmod(files[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := o.run(t, "user", "list", "--url", o.issuer); code != 1 || !strings.Contains(errs, "is readable by others") {
		t.Errorf("exit %d %s", code, errs)
	}
	if err := os.Chmod(files[0], 0o600); err != nil {
		t.Fatal(err)
	}
	o.fine(t, "role", "take", "registrar", "--user", "ada")
	if code, _, errs := o.run(t, "user", "list", "--url", o.issuer); code != 1 || errs == "" {
		t.Errorf("after the role: exit %d %s", code, errs)
	}
}

// atTerminal runs a command at a terminal of its own, a hundred columns wide,
// types what it is asked for, and gives what that shows.
func (o *bureau) atTerminal(t *testing.T, typed string, args ...string) (code int, shown string) {
	t.Helper()
	master, slave := terminalPair(t)
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 100}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{"admin", "-c", o.config}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close() // the command has it now
	end := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer end.Stop()
	from := bufio.NewReader(master)
	before := ""
	for typed != "" && !strings.HasSuffix(before, " to go on: ") {
		r, _, err := from.ReadRune()
		if err != nil {
			t.Fatalf("%v\n%s", err, before)
		}
		before += string(r)
	}
	if _, err := io.WriteString(master, typed); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(from) // ends with EIO when the command does
	_ = cmd.Wait()              // its exit status says it
	return cmd.ProcessState.ExitCode(), strings.ReplaceAll(before+string(rest), "\r\n", "\n")
}

func terminalPair(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	unlocked := 0
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, master.Fd(), unix.TIOCSPTLCK, uintptr(unsafe.Pointer(&unlocked))); errno != 0 {
		t.Fatal(errno)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// What ends or opens much asks whoever is at the terminal, and says whom it is
// about and what ends.
func TestAdminAsksBeforeItDestroys(t *testing.T) {
	o := openBureau(t, "")
	o.public = o.register(t, deskCallback, "refresh_token")
	o.code(t, o.public) // ada has a session and a grant
	o.fine(t, "user", "create", "eve", "--no-password", "--full-name", "Eve A", "--role", "registrar")
	kid := strings.Fields(o.fine(t, "key", "list"))[6]
	for _, row := range []struct {
		typed string
		args  []string
		says  string
		code  int
	}{
		{"yes\n", []string{"user", "delete", "eve"}, "nothing was done: that was another word", 1},
		{"\n", []string{"user", "delete", "eve"}, "nothing was done: that was another word", 1},
		{"\x03", []string{"user", "delete", "eve"}, "nothing was done: interrupted", 1},
		{"2\n", []string{"user", "update", "ada", "--disabled"}, "  ada: 1 session, 1 grant\nThey cannot sign in, and every session, grant and token of theirs ends.", 1},
		{"x\n", []string{"session", "end", "--user", "ada"}, "This will end all sessions of:\n  ada: 1 session, 1 grant\n", 1},
		{"x\n", []string{"client", "delete", o.public}, "This will delete:\n  " + o.public + " (suite, application): 1 grant\n", 1},
		{"x\n", []string{"grant", "revoke", "one", "two"}, "This will revoke these grants:\n  one\n  two\nEvery token of theirs ends", 1},
		{"x\n", []string{"key", "revoke", "--", kid}, "This will take back the key " + kid + ", which signs now.\nEvery token it signed is refused", 1},
		{"x\n", []string{"role", "give", "registrar", "--user", "ada"}, "This will give the role registrar to:\n  ada\nIt lets them administer this server, with postern:read postern:users.\n", 1},
		{"ada\n", []string{"role", "give", "registrar", "--user", "ada"}, "Type ada to go on:", 0},
		{"eve\n", []string{"user", "delete", "eve"}, "This will delete, for good:\n  eve (Eve A): 0 sessions, 0 grants, roles registrar\n", 0},
	} {
		code, shown := o.atTerminal(t, row.typed, row.args...)
		if code != row.code || !strings.Contains(shown, row.says) {
			t.Errorf("%q %v: exit %d\n%s\nwant\n%s", row.typed, row.args, code, shown, row.says)
		}
		left := strings.Contains(o.fine(t, "user", "list"), "eve ")
		if ends := row.code == 0 && row.args[1] == "delete"; left == ends {
			t.Errorf("%q %v: left %v", row.typed, row.args, left)
		}
	}
}

// Tables fit a terminal of a hundred columns, and are whole anywhere else.
func TestAdminTablesFitATerminal(t *testing.T) {
	o := openBureau(t, "")
	o.public = o.register(t, deskCallback, "refresh_token")
	o.code(t, o.public)
	o.fine(t, "user", "create", "bartholomew", "--no-password", "--full-name", "Bartholomew Longfellow-Featherstonehaugh",
		"--email", "bartholomew.longfellow@subsidiary.example.com", "--role", "registrar")
	o.fine(t, "client", "create", "a machine with quite a long name for what it does", "--scope", "everything,postern:read")
	for _, list := range []string{"user list", "role list", "role holders --role registrar", "client list", "grant list --user ada", "session list", "sign-in list", "key list", "token list --user ada", "invitation list"} {
		code, shown := o.atTerminal(t, "", strings.Fields(list)...)
		if code != 0 {
			t.Errorf("%s: exit %d\n%s", list, code, shown)
		}
		for line := range strings.Lines(shown) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 100 {
				t.Errorf("%s: %d columns\n%s", list, n, shown)
			}
		}
	}
	if out := o.fine(t, "user", "list"); !strings.Contains(out, "bartholomew.longfellow@subsidiary.example.com") {
		t.Errorf("cut without a terminal:\n%s", out)
	}
}
