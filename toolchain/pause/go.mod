module agent-sandbox/toolchain/pause

go 1.26.0
