// A server of TUS at ADDRESS that keeps files in FOLDER: tusd’s own handler and file store, as OpenCloud has them inside. Its program
// takes four times as long to build, as it can store in all clouds.
package main

import (
	"net/http"
	"os"

	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
)

func main() {
	composer := handler.NewStoreComposer()
	filestore.New(os.Args[2]).UseIn(composer)
	memorylocker.New().UseIn(composer)
	tusd, err := handler.NewHandler(handler.Config{BasePath: "/files/", StoreComposer: composer})
	if err != nil {
		panic(err)
	}
	http.Handle("/files/", http.StripPrefix("/files/", tusd))
	panic(http.ListenAndServe(os.Args[1], nil))
}
