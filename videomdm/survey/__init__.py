"""The human preference survey of appendix H, and motions side by side in a browser.

``make`` draws the clips of two or more methods and deals out pairs, ``serve`` shows them and keeps the votes,
``analyse`` says what the votes mean; ``compare`` shows motions on one page without asking for votes.
"""
