//! Reads the Secrets that a source names.

use bulkhead_api::meta::LocalObjectReference;

use crate::gitrepository::request::{Data, SecretError};
use crate::holder::Holder;
use crate::queue::Key;

/// A Secret that an object names: its data, or why there is none.
pub(crate) type Read = Result<Data, SecretError>;

/// Reads the Secret `reference` of an object; `None` when it names none.
pub(crate) async fn read(
    holder: &impl Holder,
    key: &Key,
    reference: Option<&LocalObjectReference>,
) -> Option<Read> {
    Some(named(holder, key, &reference?.name).await)
}

/// Reads the pull secrets of a ServiceAccount.
pub(crate) async fn of_account(
    holder: &impl Holder,
    key: &Key,
    account: Option<&str>,
) -> Result<Vec<Data>, SecretError> {
    let Some(account) = account else {
        return Ok(Vec::new());
    };
    let account = Key::new(&key.namespace, account);
    let wrong = |problem| SecretError::Account(account.to_string(), problem);
    let names = holder.pull_secrets(&account).await.map_err(wrong)?;
    let mut secrets = Vec::new();
    for name in names.ok_or_else(|| wrong("it does not exist".to_owned()))? {
        secrets.push(named(holder, key, &name).await?);
    }
    Ok(secrets)
}

async fn named(holder: &impl Holder, key: &Key, name: &str) -> Read {
    let key = Key::new(&key.namespace, name);
    match holder.secret(&key).await {
        Ok(Some(data)) => Ok(data),
        Ok(None) => Err(SecretError::Missing(key.to_string())),
        Err(problem) => Err(SecretError::Request(key.to_string(), problem)),
    }
}
