{
  check(port)::
    if port > 1024 then port else error 'port %d is privileged' % port,
}
