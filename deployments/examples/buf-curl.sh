#!/bin/sh
# buf curl speaks Connect, gRPC and gRPC-Web (--protocol), and asks the server for its contracts (reflection).
buf curl --http2-prior-knowledge --header "authorization: Bearer $RAGMESH_API_KEY" \
  --data '{"question": "How long does a refund to a credit card take?"}' \
  "$RAGMESH_URL/ragmesh.chat.v1.ChatService/Ask"
