"""Booting over the network: rendering, the files of machines, and real dnsmasq, kernels and boot loaders."""
