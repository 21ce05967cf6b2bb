package authserver

import (
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-mcp/postern/authserver/redistest"
	"github.com/postern-mcp/postern/authserver/shortlived"
)

// redisServer names the environment variable with the address of a Redis in
// which this run's servers keep what is short-lived, instead of in their database.
const redisServer = "POSTERN_TEST_REDIS"

var redisOfRun = sync.OnceValue(func() *shortlived.Redis {
	address := os.Getenv(redisServer)
	if address == "" {
		return nil
	}
	return inRedis(redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true}))
})

func inRedis(client *redis.Client) *shortlived.Redis {
	return shortlived.NewRedis(client, "short:", 10*time.Second)
}

// keptInRedis has servers keep what is short-lived in one Redis.
func keptInRedis(t *testing.T) func(*Config) {
	t.Helper()
	client := redistest.Start(t).Client()
	t.Cleanup(func() { _ = client.Close() })
	return func(c *Config) { c.ShortLived = inRedis(client) }
}

// aboutWaiting are the tests of this package that are about codes and devices
// which wait.
var aboutWaiting = strings.Fields(`
	TestPersonGetsTokens TestCodeIsBound TestCodeExpires TestCodeUsedTwiceRevokesTheFamily TestCodeRedeemedByManyAtOnce
	TestClientWithoutRefreshGrantGetsNone TestDeviceGetsTheTokensOfItsPerson TestDeviceIsTold TestDeviceThatAsksTooSoonIsSlowed
	TestDeviceRequestsRefused TestDeviceCodeIsTheClients TestDeviceKeyIsBoundFromTheStart TestUserCodesCannotBeGuessed
	TestUserCodeIsGoodForOneAnswer TestDeviceIsAnsweredByItsPersonOnly TestDeviceLinkOnlyFillsIn TestDevicesThatWaitAreLimited
	TestApprovalIsOfTheClientThatWasShown TestReplacementWhileApproving
`)

// aboutSessions are those about who is signed in, and for how long.
var aboutSessions = strings.Fields(`
	TestAccountPagesAskWhoItIs TestAccountFormsAreThePersonsOwn TestSessionsAreEndedByTheirOwner TestSessionCookieIsNewAtEverySignIn
	TestHeldFormsOfEndedSessions TestEndedSignInsAreNotFinished TestEndedSessionsAreNotGoneOnWith TestNewPasswordEndsUnfinishedSignIns
	TestFactorHoldsForExistingSessions TestReplacedAppEndsOtherBrowsers TestDisabledPeopleHaveNothing TestPagesOfTheAPI
	TestAdministratorsLookAfterPeople TestDeletedAccountsKeepNothing TestStrangersAreKeptOut TestPasswordIsChanged TestPasswordIsReset
`)

// Those tests once more, with a Redis.
func TestWaitingInRedis(t *testing.T) {
	about := slices.Concat(aboutWaiting, aboutSessions)
	again := exec.Command(os.Args[0], "-test.v", "-test.run", "^("+strings.Join(about, "|")+")$")
	again.Env = append(os.Environ(), redisServer+"="+redistest.Start(t).Address)
	out, err := again.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if n := len(ran.FindAll(out, -1)); n != len(about) {
		t.Errorf("%d tests of %d ran", n, len(about))
	}
}

// A code that a Redis brings back after it was redeemed is one that two have.
func TestCodeThatComesBackEndsTheFamily(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	g := newRig(t, func(c *Config) { c.ShortLived = inRedis(client) })
	id := g.publicClient()
	redeem := redemption(id, g.code(id))
	names := client.Keys(t.Context(), "*").Val()
	copies := map[string]string{}
	for _, name := range names {
		copies[name] = client.Dump(t.Context(), name).Val()
	}
	first := g.post("/token", redeem)
	g.expect(first, http.StatusOK, "")
	if err := client.FlushAll(t.Context()).Err(); err != nil || len(names) == 0 {
		t.Fatal(len(names), err)
	}
	for name, copied := range copies {
		if err := client.Restore(t.Context(), name, time.Hour, copied).Err(); err != nil {
			t.Fatal(err)
		}
	}
	g.expect(g.post("/token", redeem), http.StatusBadRequest, "invalid_grant")
	g.expectReason(CodeReused)
	g.expect(g.post("/token", refreshing(id, first)), http.StatusBadRequest, "invalid_grant")
}

// A code whose approval was never written is unknown.
func TestCodeWithoutItsGrant(t *testing.T) {
	g := newRig(t, keptInRedis(t))
	id := g.publicClient()
	redeem := redemption(id, g.code(id))
	if _, err := g.database().Exec("DELETE FROM grants"); err != nil {
		t.Fatal(err)
	}
	g.expect(g.post("/token", redeem), http.StatusBadRequest, "invalid_grant")
	g.expectReason(BadCode)
}

// While Redis is away those who need it are told to come again, and nobody is
// let through; with it they go on.
func TestRedisWithWhatWaitsIsAway(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client()
	defer client.Close()
	g := newRig(t, func(c *Config) { c.ShortLived = inRedis(client) })
	id := g.publicClient()
	form := redemption(id, g.code(id))
	if err := g.s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	server.Stop(t)
	if a := g.post("/token", form); a.header.Get("Retry-After") == "" {
		t.Error("no word of when to come again")
	} else {
		g.expect(a, http.StatusServiceUnavailable, "temporarily_unavailable")
	}
	g.expectReason(RedisAway)
	if g.s.Ready(t.Context()) == nil {
		t.Error("ready without what waits")
	}
	server.Restart(t)
	if err := g.s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}
