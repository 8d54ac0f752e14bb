"""The example's project with views outside REST framework, each answer with its process's name."""
