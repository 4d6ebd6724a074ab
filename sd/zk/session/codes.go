package session

import (
	"errors"
	"fmt"

	"example.com/daytime/sd/zk/session/internal/wire"
	gozk "github.com/go-zookeeper/zk"
)

// Error codes of the protocol that this package decides by (KeeperException.Code in ZooKeeper's
// source).
const (
	codeMarshalling    = -5
	codeUnimplemented  = -6
	codeTimeout        = -7
	codeLocalSession   = -120
	codeRequestTimeout = -122
	codeNeedsSASL      = wire.CodeNeedsSASL
	codeQuota          = -125
	codeThrottled      = -127
)

// A CodeError is an error code of ZooKeeper that go-zookeeper has no name for. It matches ErrDenied
// if only a person can mend it, and ErrDisconnected as well if the server closes the connection.
type CodeError struct{ Code int32 }

// Error is the name of the code, the code, and what to do about it.
func (e *CodeError) Error() string {
	name, advice := e.describe()
	if advice != "" {
		advice = ": " + advice
	}
	return fmt.Sprintf("zk: %s (%d)%s", name, e.Code, advice)
}

// Is implements errors.Is.
func (e *CodeError) Is(target error) bool {
	switch e.Code {
	case codeLocalSession, codeQuota:
		return target == ErrDenied
	case codeNeedsSASL:
		return target == ErrDenied || target == ErrDisconnected
	}
	return false
}

// describe returns the name of the code, and what to do about it where that is known.
func (e *CodeError) describe() (name, advice string) {
	known, ok := map[int32]struct{ name, advice string }{
		-1:                {"system error", "see the server's log"},
		-2:                {"runtime inconsistency", "another operation of the same multi failed"},
		-3:                {"data inconsistency", "see the server's log"},
		-4:                {"connection lost", ""},
		codeMarshalling:   {"marshalling error", ""},
		codeUnimplemented: {"not implemented", "the server does not know the operation"},
		codeTimeout:       {"operation timeout", ""},
		-9:                {"invalid state", ""},
		-12:               {"unknown session", ""},
		-13:               {"no quorum of the new configuration", "start the new servers first"},
		-14:               {"another reconfiguration is in progress", ""},
		-113:              {"invalid callback", ""},
		-119:              {"not a read-only call", "the server has no quorum, and takes no changes"},
		codeLocalSession: {"ephemeral node on a local session",
			"local sessions cannot hold ephemeral nodes: " +
				"want localSessionsUpgradingEnabled=true on the servers, or no local sessions"},
		-121:               {"no such watcher", ""},
		codeRequestTimeout: {"request timeout", ""},
		codeNeedsSASL: {"session closed: the server requires SASL authentication",
			"which is not offered here: want a server without sessionRequireClientSASLAuth; " +
				"where its enforce.auth.schemes have digest or x509, auth-file or tls-cert will do"},
		codeQuota:     {"quota exceeded", "raise the quota of the path, or remove nodes"},
		codeThrottled: {"throttled", "the server is overloaded"},
	}[e.Code]
	if !ok {
		return "unknown error", ""
	}
	return known.name, known.advice
}

// isTransient reports whether the server may answer the same request otherwise in a moment.
func (e *CodeError) isTransient() bool {
	switch e.Code {
	case codeTimeout, codeRequestTimeout, codeThrottled:
		return true
	}
	return false
}

// libraryErrors are the codes for which go-zookeeper has an error.
var libraryErrors = [...]struct {
	code int32
	err  error
}{
	{-8, gozk.ErrBadArguments}, {-100, gozk.ErrAPIError}, {-101, gozk.ErrNoNode},
	{-102, gozk.ErrNoAuth}, {-103, gozk.ErrBadVersion}, {-108, gozk.ErrNoChildrenForEphemerals},
	{-110, gozk.ErrNodeExists}, {-111, gozk.ErrNotEmpty}, {-112, gozk.ErrSessionExpired},
	{-114, gozk.ErrInvalidACL}, {-115, gozk.ErrAuthFailed}, {-118, gozk.ErrSessionMoved},
	{-123, gozk.ErrReconfigDisabled},
}

// errorOf returns the error that code stands for; 0 is none.
func errorOf(code int32) error {
	if code == 0 {
		return nil
	}
	for _, known := range libraryErrors {
		if known.code == code {
			return known.err
		}
	}
	return &CodeError{code}
}

// named gives a code that a connection has ended for its name.
func named(err error) error {
	if code, ok := err.(wire.Code); ok {
		return errorOf(int32(code))
	}
	return err
}

// explain gives a code that go-zookeeper does not know its name, and adds to a denial by an ACL
// which credentials the request was made with.
func (c Config) explain(err error) error {
	var code int32
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gozk.ErrNoAuth):
		return fmt.Errorf("%w: %s", err, c.identity())
	}
	// The library makes the error of the code by fmt.Errorf.
	if n, _ := fmt.Sscanf(err.Error(), "unknown error: %d", &code); n == 1 {
		return errorOf(code)
	}
	return err
}

// identity says which credentials requests are made with, or that there are none.
func (c Config) identity() string {
	switch {
	case c.AuthFile != "":
		return "the ACL does not allow it to the user of auth-file " + c.AuthFile
	case c.TLS.Cert != "":
		return "the ACL does not allow it to the bearer of tls-cert " + c.TLS.Cert
	default:
		return "the ACL allows it to others: want auth-file or tls-cert, to be one of them"
	}
}
