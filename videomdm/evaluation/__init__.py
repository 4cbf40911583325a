"""How good motions are: metrics, the evaluators that embed motions and texts, and the protocol of every study."""
