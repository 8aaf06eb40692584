"""Speed and memory of one architecture on this host, measured in processes of their own."""
