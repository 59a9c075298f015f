package lab

import (
	"os"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// TestKustomize writes what `kubectl apply -k` of the folder LAB_INPUT would apply.
func TestKustomize(t *testing.T) {
	folder := os.Getenv("LAB_INPUT")
	if folder == "" {
		t.Skip("LAB_INPUT names no folder: run `npm run mesh:sim` or `npm run mesh:lab`")
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	check(t, err)
	yaml, err := objects.AsYaml()
	check(t, err)
	check(t, os.WriteFile(os.Getenv("LAB_OUTPUT"), yaml, 0o600))
}
