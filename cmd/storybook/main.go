// Command storybook serves every page of the authorization server in every
// state, from fixtures, on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "loopback address to listen on")
	folder := flag.String("pictures", "", "take the pictures of the documentation into this folder, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work := func() error { return run(ctx, *listen) }
	if *folder != "" {
		work = func() error { return takePictures(ctx, *folder) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "storybook:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string) error {
	at, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return err
	}
	if !at.IP.IsLoopback() {
		return errors.New("the pages of the storybook are for this machine: -listen takes a loopback address")
	}
	listener, err := net.ListenTCP("tcp", at)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	server := &http.Server{Handler: newBook(stories()), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() // nothing is lost
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
