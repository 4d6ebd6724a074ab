package doctor

import (
	"os"

	"example.com/daytime/cmd/internal/doctor/acl"
)

// checkCredentials tells what the user of an auth-file may do with the directory.
func (z *zookeeper) checkCredentials() {
	text, err := os.ReadFile(z.how.AuthFile)
	if err != nil || len(z.dir.acl) == 0 {
		return
	}
	if rights, wrong := z.dir.acl.Rights(acl.ParseUser(string(text))); wrong {
		z.Warn("credentials", z.how.AuthFile, "correct the auth-file, or give its user rights in "+
			"the ACL of "+z.path, "%s", rights)
	} else {
		z.Fine("credentials", z.how.AuthFile, "%s", rights)
	}
}
