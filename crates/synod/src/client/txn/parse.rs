//! Makes conditions and operations out of words and signs.

use super::token::{Token, tokens, wrong};
use crate::client::problem::Problem;
use crate::client::range::after_prefix;
use crate::client::text::id;
use synod_coordination::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use synod_coordination::proto::etcdserverpb::request_op::Request;
use synod_coordination::proto::etcdserverpb::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp,
};

/// `TARGET(KEY) SIGN WORD`.
pub(super) fn condition(text: &str) -> Result<Compare, Problem> {
    let form = || wrong(text, "a condition reads like `version(key) = 0`");
    let tokens = tokens(text, true)?;
    let [
        Token::Word { bytes: target, quoted: false },
        Token::Sign("("),
        Token::Word { bytes: key, .. },
        Token::Sign(")"),
        Token::Sign(sign),
        Token::Word { bytes: given, .. },
    ] = tokens.as_slice()
    else {
        return Err(form());
    };
    if key.is_empty() {
        return Err(wrong(text, "a key is never empty"));
    }
    let result = match *sign {
        "=" => CompareResult::Equal,
        "!=" => CompareResult::NotEqual,
        "<" => CompareResult::Less,
        ">" => CompareResult::Greater,
        _ => return Err(form()),
    };
    let (target, union) = given_side(text, target, given)?;
    Ok(Compare {
        result: result.into(),
        target: target.into(),
        key: key.clone().into(),
        target_union: Some(union),
        ..Compare::default()
    })
}

fn given_side(
    text: &str,
    target: &[u8],
    given: &[u8],
) -> Result<(CompareTarget, TargetUnion), Problem> {
    let number = || {
        let digits = std::str::from_utf8(given).ok();
        let number = digits.and_then(|digits| digits.parse::<i64>().ok());
        number.ok_or_else(|| wrong(text, "this target is compared with a whole number"))
    };
    Ok(match target {
        b"version" => (CompareTarget::Version, TargetUnion::Version(number()?)),
        b"created" | b"create" => (CompareTarget::Create, TargetUnion::CreateRevision(number()?)),
        b"modified" | b"mod" => (CompareTarget::Mod, TargetUnion::ModRevision(number()?)),
        b"value" => (CompareTarget::Value, TargetUnion::Value(given.to_vec().into())),
        b"lease" => (CompareTarget::Lease, TargetUnion::Lease(lease_id(text, given)?)),
        _ => return Err(wrong(text, "targets are version, created, modified, value and lease")),
    })
}

fn lease_id(text: &str, given: &[u8]) -> Result<i64, Problem> {
    id(&String::from_utf8_lossy(given)).map_err(|why| wrong(text, &why))
}

/// `get KEY [--prefix]`, `put KEY VALUE [--lease ID]`, `del KEY [--prefix]`.
pub(super) fn operation(text: &str) -> Result<RequestOp, Problem> {
    let mut words = Words::of(text)?;
    let verb = words.next("an operation is `get`, `put` or `del`")?;
    let key = words.next("the key is missing")?;
    if key.is_empty() {
        return Err(wrong(text, "a key is never empty"));
    }
    let request = match verb.as_slice() {
        b"get" => Request::RequestRange(RangeRequest {
            range_end: words.prefix_end(&key).into(),
            key: key.into(),
            ..RangeRequest::default()
        }),
        b"del" => Request::RequestDeleteRange(DeleteRangeRequest {
            range_end: words.prefix_end(&key).into(),
            key: key.into(),
            prev_kv: false,
        }),
        b"put" => Request::RequestPut(PutRequest {
            lease: words.lease(text)?,
            key: key.into(),
            value: words.next("the value is missing")?.into(),
            ..PutRequest::default()
        }),
        _ => return Err(wrong(text, "an operation is `get`, `put` or `del`")),
    };
    words.end()?;
    Ok(RequestOp { request: Some(request) })
}

/// The words of an operation, options taken out as they are asked for.
struct Words<'a> {
    text: &'a str,
    rest: Vec<(Vec<u8>, bool)>,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Result<Self, Problem> {
        let word = |token| match token {
            Token::Word { bytes, quoted } => (bytes, quoted),
            Token::Sign(_) => unreachable!("operations are cut without signs"),
        };
        Ok(Self { text, rest: tokens(text, false)?.into_iter().map(word).collect() })
    }

    fn next(&mut self, missing: &str) -> Result<Vec<u8>, Problem> {
        if self.rest.is_empty() {
            Err(wrong(self.text, missing))
        } else {
            Ok(self.rest.remove(0).0)
        }
    }

    fn take(&mut self, option: &str) -> Option<usize> {
        let is_it = |(bytes, quoted): &(Vec<u8>, bool)| !quoted && bytes == option.as_bytes();
        let index = self.rest.iter().position(is_it)?;
        self.rest.remove(index);
        Some(index)
    }

    fn prefix_end(&mut self, key: &[u8]) -> Vec<u8> {
        self.take("--prefix").map_or_else(Vec::new, |_| after_prefix(key))
    }

    fn lease(&mut self, text: &str) -> Result<i64, Problem> {
        let Some(index) = self.take("--lease") else { return Ok(0) };
        if index >= self.rest.len() {
            return Err(wrong(text, "the id is missing after --lease"));
        }
        lease_id(text, &self.rest.remove(index).0)
    }

    fn end(self) -> Result<(), Problem> {
        if self.rest.is_empty() { Ok(()) } else { Err(wrong(self.text, "there is too much")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> (Vec<u8>, Vec<u8>, i64) {
        match operation(text).unwrap().request {
            Some(Request::RequestPut(put)) => (put.key.to_vec(), put.value.to_vec(), put.lease),
            other => panic!("not a put: {other:?}"),
        }
    }

    #[test]
    fn conditions_do_not_need_spaces() {
        assert_eq!(condition("version(a)=0").unwrap(), condition(" version ( a ) = 0 ").unwrap());
        assert_eq!(condition("value(a)!=\"b c\"").unwrap().result(), CompareResult::NotEqual);
    }

    #[test]
    fn quoted_words_are_taken_literally() {
        assert_eq!(put(r#"put "a b" "x\"\\\n\x00""#), (b"a b".into(), b"x\"\\\n\0".into(), 0));
        assert_eq!(put(r#"put a "--lease""#), (b"a".into(), b"--lease".into(), 0));
        assert_eq!(put("put a b=(c)"), (b"a".into(), b"b=(c)".into(), 0));
    }

    #[test]
    fn options_may_stand_anywhere_behind_the_key() {
        assert_eq!(put("put a --lease 4d 1"), (b"a".into(), b"1".into(), 0x4d));
        assert_eq!(put("put a 1 --lease 4d"), (b"a".into(), b"1".into(), 0x4d));
    }

    #[test]
    fn what_is_not_understood_is_a_usage_error() {
        let wrong =
            ["", "version(a)", "size(a) = 1", "version(a) = x", "version(a) ! 1", "value(\"a"];
        assert!(wrong.iter().all(|text| matches!(condition(text), Err(Problem::Usage(_)))));
        let wrong = ["", "put a", "get", "move a b", "get a b", "put a b c", "put a 1 --lease"];
        assert!(wrong.iter().all(|text| matches!(operation(text), Err(Problem::Usage(_)))));
    }
}
