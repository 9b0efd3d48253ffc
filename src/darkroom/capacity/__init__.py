"""How far the AWS deployment goes: what breaks first at so many times a workload, and what moves it. Pure.

``assumptions`` are the numbers it begins from, each with its source. Three simulations turn them into load: ``edge``
(which views the CDN answers), ``backlog`` (how long uploads wait in the queue, over a day with a burst) and ``heat``
(units a second on the hottest keys of the database). ``ceilings`` holds what is asked of every part against what that
part may take, and says what moves the bound.
"""
