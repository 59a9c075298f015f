// Asks over gRPC, after protovalidate has checked the request. Run it: see README.md.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	chatv1 "example.com/ask/gen/ragmesh/chat/v1"
)

func main() {
	// The retries and the load balancing of the contract.
	config, err := os.ReadFile(os.Getenv("RAGMESH_SERVICE_CONFIG"))
	check(err)
	conn, err := grpc.NewClient(os.Getenv("RAGMESH_GRPC"), grpc.WithDefaultServiceConfig(string(config)),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	request := &chatv1.AskRequest{Question: "How long does a refund to a credit card take?"}
	check(protovalidate.Validate(request))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("RAGMESH_API_KEY"))
	stream, err := chatv1.NewChatServiceClient(conn).Ask(ctx, request)
	check(err)
	for response, err := stream.Recv(); err == nil; response, err = stream.Recv() {
		fmt.Print(response.GetTextDelta().GetText())
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
