"""What the book's pages need: papermill reads scripts, claims are checked, a denoiser small enough to see through."""
