package authserver

import (
	"context"
	"time"

	"github.com/postern-mcp/postern/authserver/keyring"
	"github.com/postern-mcp/postern/authserver/store"
)

// Store is what the server must remember; package store implements it. Every
// method that writes is one transaction.
type Store interface {
	keyring.Store
	sealedStore
	clientStore
	clientUse
	userStore
	sessionStore
	sessionsSeen
	userByID
	generatorStore
	generatorRemover
	recoveryStore
	passkeyStore
	passkeyChanges
	browserStore
	ticketStore
	ticketUse
	resetStore
	passwordStore
	signInStore
	signInsShown
	networkStore
	nameStore
	admissions
	roleStore
	clientRoles
	givenRoles
	identityStore
	ownIdentities
	departures
	consentStore
	grantStore
	codeStore
	refreshStore
	personStore
	deviceStore
	devicePolls
	deviceAnswers
	accessStore
	statusStore
	endedStore
	accountStore
	accountRemover
	holderStore
	peopleStore
	peopleChanges
	factorRemover
	storedClients
	clientChanges
	grantLists
	sessionLists
	signInLists
	consentLists
	identityList
	upkeep
}

type accountStore interface {
	Users(ctx context.Context) ([]store.Account, error)
	Clients(ctx context.Context) ([]store.Account, error)
}

type accountRemover interface {
	DeleteUser(ctx context.Context, name string) error
	DeleteClient(ctx context.Context, id string) error
}

type clientStore interface {
	Client(ctx context.Context, id string) (store.Client, error)
	AddClient(ctx context.Context, c store.Client, limit int) error
	ReplaceClient(ctx context.Context, c store.Client, anew bool) error
}

type clientUse interface {
	StartClient(ctx context.Context, id string, now time.Time) error
}

type userStore interface {
	User(ctx context.Context, name string) (store.User, error)
	AddUser(ctx context.Context, u store.User, now time.Time, roles ...string) error
}

type sessionStore interface {
	Session(ctx context.Context, h store.Hash, now time.Time) (store.Session, error)
	StartSession(ctx context.Context, v store.Session, before store.Hash) error
	EndSession(ctx context.Context, h store.Hash, until time.Time) error
}

type sessionsSeen interface {
	SeeSession(ctx context.Context, h store.Hash, now time.Time) error
	Sessions(ctx context.Context, user string, now time.Time) ([]store.Session, error)
	EndOthers(ctx context.Context, user string, but store.Hash, here store.Place) (ended int64, err error)
}

type nameStore interface {
	SharedNames(ctx context.Context) ([]string, error)
}

type admissions interface {
	Admit(ctx context.Context, a store.Admission, now time.Time, wider store.Wider) error
}

type consentStore interface {
	Consent(ctx context.Context, c store.Consent) ([]string, error)
	Approve(ctx context.Context, a store.Approval) error
	Spend(ctx context.Context, request store.Hash, until time.Time) error
}

type grantStore interface {
	Grant(ctx context.Context, id string) (store.Grant, error)
	RevokeGrant(ctx context.Context, id string, now time.Time) error
}

type codeStore interface {
	Code(ctx context.Context, h store.Hash) (store.Code, error)
	Redeem(ctx context.Context, c store.Code, first *store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error)
}

type refreshStore interface {
	Refresh(ctx context.Context, h store.Hash) (store.RefreshToken, error)
	Rotate(ctx context.Context, old store.Hash, sealed []byte, next store.RefreshToken, t store.AccessToken, now, keep time.Time) (place uint64, err error)
	Extend(ctx context.Context, r store.RefreshToken, t store.AccessToken, keep time.Time) (place uint64, err error)
}

type accessStore interface {
	Issue(ctx context.Context, t store.AccessToken) (place uint64, err error)
	AccessToken(ctx context.Context, id string) (store.AccessToken, error)
	RevokeToken(ctx context.Context, id string) error
}

type statusStore interface {
	Places(ctx context.Context) (first, last uint64, err error)
	RevokedPlaces(ctx context.Context, from, to uint64) ([]uint64, error)
	Revocations(ctx context.Context, after uint64, limit int) ([]store.Revocation, error)
}

type endedStore interface {
	ListEnded(ctx context.Context) (more bool, err error)
}

type upkeep interface {
	Sweep(ctx context.Context, now, unusedSince time.Time, batch int) (more bool, err error)
	Ping(ctx context.Context) error
	Close() error
}
