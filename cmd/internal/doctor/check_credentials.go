package doctor

import (
	"context"
	"os"

	"example.com/daytime/cmd/internal/doctor/credentials"
	"example.com/daytime/sd/zk/session"
)

// checkCredentials tells what the user of an auth-file may do with the directory.
func (z *zookeeper) checkCredentials(ctx context.Context, best *member) {
	text, err := os.ReadFile(z.how.AuthFile)
	if err != nil || !z.dir.found || z.dir.aclErr != nil {
		return
	}
	user := credentials.Parse(string(text))
	err = best.within(ctx, z.Timeout, func(c *session.Conn) error {
		acl, _, err := c.GetACL(z.path)
		for _, a := range acl {
			user.Add(a.Perms, a.Scheme, a.ID)
		}
		return err
	})
	switch rights, wrong := user.Rights(); {
	case err != nil:
	case wrong:
		z.Warn("credentials", z.how.AuthFile, "correct the auth-file, or give its user rights in "+
			"the ACL of "+z.path, "%s", rights)
	default:
		z.Fine("credentials", z.how.AuthFile, "%s", rights)
	}
}
