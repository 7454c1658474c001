{ withTeam(team):: { metadata+: { labels+: { team: team } } } }
